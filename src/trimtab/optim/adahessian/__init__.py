"""AdaHessian: curvature of single coordinates in the place of squared gradients."""
