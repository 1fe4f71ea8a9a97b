"""Compare GAN: interchangeable GAN parts, a runner, and the S³GAN pipeline.

Importing this package loads nothing heavy; import the rooms that you need, for example
`from compare_gan.losses import hinge` or `from compare_gan.layers import Conv2D`.
"""

__version__ = "4.0.0.dev0"
