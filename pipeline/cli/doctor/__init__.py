"""`headrace doctor`: every setting and every store, what is wrong and how to mend it."""
