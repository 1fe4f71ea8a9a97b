"""GANs and their losses. ModularGAN joins the parts; SSGAN and S3GAN add tasks to it."""

from compare_gan.gans.latent_optimization import LatentOptimization
from compare_gan.gans.modular_gan import ModularGAN
from compare_gan.gans.s3gan import S3GAN
from compare_gan.gans.ssgan import SSGAN
from compare_gan.gans.terms import LossTerms

__all__ = ["S3GAN", "SSGAN", "LatentOptimization", "LossTerms", "ModularGAN"]
