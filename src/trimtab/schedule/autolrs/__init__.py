"""AutoLRS: a learning rate for each stage, found by short trials from the same point."""
