"""What a generation may consist of: expressions, and the library that holds a model to them."""
