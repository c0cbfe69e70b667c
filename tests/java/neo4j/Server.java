import java.nio.file.Path;
import java.util.Map;
import org.neo4j.configuration.GraphDatabaseSettings;
import org.neo4j.configuration.connectors.BoltConnector;
import org.neo4j.configuration.helpers.SocketAddress;
import org.neo4j.dbms.api.DatabaseManagementServiceBuilder;

/** Neo4j Community on loopback: FOLDER PORT OWNER PASSWORD; it ends when OWNER does. */
public class Server {
    private static final long PAGE_CACHE_BYTES = 64L << 20;

    public static void main(String[] args) throws InterruptedException {
        var service = new DatabaseManagementServiceBuilder(Path.of(args[0]))
                .setConfig(BoltConnector.enabled, true)
                .setConfig(
                        BoltConnector.listen_address,
                        new SocketAddress("127.0.0.1", Integer.parseInt(args[1])))
                .setConfig(GraphDatabaseSettings.pagecache_memory, PAGE_CACHE_BYTES)
                .setConfig(GraphDatabaseSettings.auth_enabled, true)
                // Wrong passwords are tried on purpose.
                .setConfig(GraphDatabaseSettings.auth_max_failed_attempts, 0)
                .build();
        service.database("system").executeTransactionally(
                "ALTER USER neo4j SET PASSWORD $password CHANGE NOT REQUIRED",
                Map.of("password", args[3]));
        System.out.println("ready");
        ProcessHandle.of(Long.parseLong(args[2])).ifPresent(owner -> owner.onExit().join());
        service.shutdown();
    }
}
