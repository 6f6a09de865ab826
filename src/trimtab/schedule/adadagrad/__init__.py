"""AdAdaGrad: a batch that grows as the noise in its gradient asks for."""
