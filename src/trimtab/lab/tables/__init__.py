"""Tasks made of tables: reading and understanding columns, preparing them, and a perceptron that learns one of them."""
