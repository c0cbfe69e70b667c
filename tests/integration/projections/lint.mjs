// Reads a JSON list of Cypher texts from standard input and writes what Neo4j's own linter says of each.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(`${process.cwd()}/`);
const { lintCypherQuery } = require("@neo4j-cypher/language-support");
const texts = JSON.parse(readFileSync(0, "utf8"));
const told = texts.map((text) => {
  const names = [...text.matchAll(/\$(\w+)/g)].map((match) => [match[1], null]);
  const { diagnostics } = lintCypherQuery(text, { parameters: Object.fromEntries(names) });
  return diagnostics.map(({ severity, message }) => `${severity}: ${message}`);
});
console.log(JSON.stringify(told));
