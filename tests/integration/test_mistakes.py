"""Mistakes in configs: each is reported in one sentence, at once, before any data is read."""

import contextlib
import re
import time

import numpy as np
import pytest
from PIL import Image

from compare_gan import datasets, registry
from compare_gan import main as command_line

# A config without mistakes; the line numbers below refer to it.
_GOOD = """\
options.gan_class = @S3GAN
options.architecture = "resnet_cifar_arch"
options.batch_size = 16
options.training_steps = 10
options.z_dim = 8
dataset.name = "test_classes"
S3GAN.conditional = True
S3GAN.project_y = True
S3GAN.use_predictor = True
S3GAN.self_supervision = "rotation"
S3GAN.rotated_batch_fraction = 2
S3GAN.g_lr = 0.0002
G.batch_norm_fn = @conditional_batch_norm
D.spectral_norm = True
loss.fn = @hinge
penalty.fn = @no_penalty
evaluation.metrics = ["fid"]
resnet_cifar.Generator.ch = 8
"""
_CHANGED = len(_GOOD.splitlines()) + 1
_UNCONDITIONAL = """\
options.gan_class = @ModularGAN
options.architecture = "sndcgan_arch"
options.batch_size = 16
options.training_steps = 10
dataset.name = "test_no_classes"
"""
_SSGAN = """\
options.gan_class = @SSGAN
options.architecture = "sndcgan_arch"
options.batch_size = 16
options.training_steps = 10
dataset.name = "test_no_classes"
SSGAN.rotated_batch_size = 8
"""


def _of_family(family: str) -> str:
    return _UNCONDITIONAL.replace("sndcgan", family) + "options.z_dim = 120\n"


def _without(key: str) -> str:
    return "".join(line for line in _GOOD.splitlines(True) if not line.startswith(key))


# A line added to the good config, the message, and the line number that it reports (by default that
# of the added line).
_ADDED = (
    # Unknown names.
    ('dataset.name = "test_clases"', "Unknown dataset 'test_clases'. Did you mean 'test_classes'?"),
    ('dataset.name = "cifar-10"', "Unknown dataset 'cifar-10'. Did you mean 'cifar10'?"),
    ('options.architecture = "resnet_cifar10_arch"',
     "Unknown architecture 'resnet_cifar10_arch'. Did you mean 'resnet_cifar_arch'?"),
    ('options.gan_class = "S3GANN"', "Unknown gan 'S3GANN'. Did you mean 'S3GAN'?"),
    ("options.gan_class = @S3GANs", "Nothing configurable is called 'S3GANs'. "
     "Did you mean 'S3GAN'?"),
    ("option.batch_size = 16", "Nothing configurable is called 'option'. Did you mean 'options'?"),
    ("S3GAM.project_y = True", "Nothing configurable is called 'S3GAM'. Did you mean 'S3GAN'?"),
    ("options.bach_size = 16", "options has no parameter 'bach_size'. Did you mean 'batch_size'?"),
    ("S3GAN.use_predictr = True",
     "S3GAN has no parameter 'use_predictr'. Did you mean 'use_predictor'?"),
    ("S3GAN.z_dim = 8", "S3GAN.z_dim has no effect: set options.z_dim."),
    ("S3GAN.rotated_batch_size = 8", "S3GAN has no parameter 'rotated_batch_size'."),
    ("G.spectral_nrom = True", "G has no parameter 'spectral_nrom'. Did you mean 'spectral_norm'?"),
    ("resnet_cifar.Generator.chs = 64",
     "resnet_cifar.Generator has no parameter 'chs'. Did you mean 'ch'?"),
    ("tf.train.AdamOptimizer.beta_1 = 0.5",
     "AdamOptimizer has no parameter 'beta_1'. Did you mean 'beta1'?"),
    ("S3GAN.g_optimizer_fn = @tf.train.AdamOptimiser",
     "Nothing configurable is called 'tf.train.AdamOptimiser'. "
     "Did you mean 'tf.train.AdamOptimizer'?"),
    ('S3GAN.d_optimizer_fn = "Adam"', "Unknown optimizer 'Adam'. Did you mean 'AdamOptimizer'?"),
    ("loss.fn = @hing", "Nothing configurable is called 'hing'. Did you mean 'hinge'?"),
    ('loss.fn = "wasserstien"', "Unknown loss 'wasserstien'. Did you mean 'wasserstein'?"),
    ("penalty.fn = @wgan_gp_penalty",
     "Nothing configurable is called 'wgan_gp_penalty'. Did you mean 'wgangp_penalty'?"),
    ('penalty.fn = "dragon_penalty"', "Unknown penalty 'dragon_penalty'. "
     "Did you mean 'dragan_penalty'?"),
    ('G.batch_norm_fn = "conditional_batchnorm"', "Unknown normalization 'conditional_batchnorm'. "
     "Did you mean 'conditional_batch_norm'?"),
    ("G.batch_norm_fn = @self_modulated_batchnorm",
     "Nothing configurable is called 'self_modulated_batchnorm'. "
     "Did you mean 'self_modulated_batch_norm'?"),
    ('evaluation.metrics = ["fid", "inception_scor"]',
     "Unknown metric 'inception_scor'. Did you mean 'inception_score'?"),
    ('evaluation.extractor = "fashion_cn"',
     "Unknown extractor 'fashion_cn'. Did you mean 'fashion_cnn'?"),
    ("z.distribution_fn = @tf.random.norml",
     "Nothing configurable is called 'tf.random.norml'. Did you mean 'tf.random.normal'?"),
    ('weights.initializer = "orthogonl"',
     "Unknown weights.initializer 'orthogonl'. Did you mean 'orthogonal'?"),
    ('spectral_norm.singular_value = "lft"',
     "Unknown spectral_norm.singular_value 'lft'. Did you mean 'left'?"),
    ('run_config.distribution = "mirored"', "run_config.distribution must be one of auto, "),
    ('S3GAN.self_supervision = "rotate"',
     "Unknown S3GAN.self_supervision 'rotate'. Did you mean 'rotation'?"),
    ("import my_lost_module", "The config cannot be read: No module named 'my_lost_module'"),
    # Configs that cannot be read.
    ("S3GAN.g_lr = 0.0002f", "The config cannot be read: Expected newline."),
    ("S3GAN.g_lr == 0.0002", "A binding has the form name.parameter = value."),
    ("S3GAN.g_lr = fast",
     "fast is not a gin value; write 'fast' for a string, @fast for a function."),
    ('include "lost.gin"', "The config cannot be read: Unable to open file: lost.gin"),
    ("BATCH = %SIZE\nSIZE = %BATCH\noptions.batch_size = %BATCH",
     "The macro 'BATCH' refers to itself.", 21),
    ("options.batch_size = %BATCH\nBACH = 8", "Unknown macro 'BATCH'. Did you mean 'BACH'?"),
    # Parts of the wrong kind.
    ("loss.fn = @wgangp_penalty", "loss.fn must name a part of the kind 'loss', but "
     "@wgangp_penalty is of the kind 'penalty'. Known: hinge, "),
    ("options.gan_class = @hinge", "options.gan_class must name a part of the kind 'gan', but "
     "@hinge is of the kind 'loss'. Known: ModularGAN, "),
    ("loss.fn = 3", "loss.fn must name a part of the kind 'loss', received 3."),
    ("loss.fn = [@hinge]", "loss.fn must name a part of the kind 'loss', received [@hinge]."),
    ("loss.fn = @D", "loss.fn must name a part of the kind 'loss', received @D."),
    ("G.batch_norm_fn = @tf.random.normal", "G.batch_norm_fn must name a part of the kind "
     "'normalization', received @tf.random.normal. Known: batch_norm, "),
    ("options.architecture = @resnet_cifar.Generator", "options.architecture must name a part of "
     "the kind 'architecture', received @resnet_cifar.Generator. Known: dcgan_arch, "),
    ("loss.fn = None", "loss.fn must name a part of the kind 'loss', received None. Known: hinge"),
    ("penalty.fn = None", "penalty.fn must name a part of the kind 'penalty', received None."),
    ("options.gan_class = None",
     "options.gan_class must name a part of the kind 'gan', received None. Known: ModularGAN, "),
    ("options.architecture = None", "options.architecture must name a part of the kind "
     "'architecture', received None. Known: dcgan_arch, "),
    ('dataset.densest_extractor = "inceptio"', "Unknown extractor 'inceptio'. Did you mean "),
    ("evaluation.extractor = None",
     "evaluation.extractor must name a part of the kind 'extractor', received None."),
    ('z.distribution_fn = "normal"',
     "z.distribution_fn must be a function such as @tf.random.normal, received 'normal'."),
    ('eval_z.distribution_fn = "normal"',
     "eval_z.distribution_fn must be a function such as @tf.random.normal, received 'normal'."),
    ("z.distribution_fn = @hinge", "z.distribution_fn = @hinge has no parameter 'seed', which "),
    ("eval_z.distribution_fn = @hinge",
     "eval_z.distribution_fn = @hinge has no parameter 'seed', which "),
    # Parts that are called by mistake.
    *(
        (f"{key} = @{part}()", f"{key} = @{part}() is a call: write @{part} without parentheses.")
        for key, part in (
            ("loss.fn", "hinge"),
            ("penalty.fn", "no_penalty"),
            ("G.batch_norm_fn", "batch_norm"),
            ("resnet_biggan.Generator.final_norm_fn", "batch_norm"),
            ("ModularGAN.g_optimizer_fn", "tf.train.AdamOptimizer"),
            ("S3GAN.d_optimizer_fn", "tf.train.AdamOptimizer"),
            ("z.distribution_fn", "tf.random.normal"),
            ("eval_z.distribution_fn", "tf.random.normal"),
            ("options.gan_class", "S3GAN"),
            ("evaluation.extractor", "inception"),
        )
    ),
    ("evaluation.metrics = [@fid()]",
     "evaluation.metrics = @fid() is a call: write @fid without parentheses."),
    ("loss.fn = %LOSS\nLOSS = @hinge()",
     "loss.fn = @hinge() is a call: write @hinge without parentheses."),
    # Inferred labels.
    *(
        (f"dataset.inferred_labels = True\n{added}", sentence, _CHANGED + 1)
        for added, sentence in (
            ('infer_labels.method = "clusters"',
             "Unknown infer_labels.method 'clusters'. Did you mean 'clustering'?"),
            ('infer_labels.features = "selfsupervised"', "Unknown infer_labels.features "
             "'selfsupervised'. Did you mean 'self_supervised'?"),
            ('infer_labels.layer = "block9"', "Unknown infer_labels.layer 'block9'. "),
            ("infer_labels.num_clusters = 0",
             "infer_labels.num_clusters must be a positive integer, received 0."),
            ("infer_labels.hidden = 0", "infer_labels.hidden must be a positive integer, "),
            ("pretext.batch_size = 0", "pretext.batch_size must be a positive integer, "),
            ("pretext.learning_rate = -1", "pretext.learning_rate must be at least 0, "),
            ("backbone.units = 3", "backbone.units must be a list of integers, received 3."),
            ('dataset.name = "test_no_classes"', "'test_no_classes' has no classes to infer: set "
             "infer_labels.method = 'clustering'."),
            ('dataset.name = "test_oblong"',
             "infer_labels.features = 'self_supervised' needs square images, "),
            ("infer_labels.soft = True", "infer_labels.soft = True needs S3GAN.use_soft_labels = "
             "True: otherwise S3GAN takes the most probable class of each label."),
        )
    ),
    ('dataset.inferred_labels = True\ndataset.name = "random_class_imagenet_64"',
     "dataset.inferred_labels = True needs images without a label; 'random_class_imagenet_64' has "
     "none."),
    ('dataset.inferred_labels = True\ninfer_labels.method = "clustering"\ninfer_labels.soft = True',
     "infer_labels.soft = True needs infer_labels.method = 'classifier': ", _CHANGED + 2),
    # Types and ranges.
    ('options.batch_size = "64"', "options.batch_size must be an integer, received '64'."),
    ("options.batch_size = -16", "options.batch_size must be a positive integer, received -16."),
    ("options.training_steps = 0",
     "options.training_steps must be a positive integer, received 0."),
    ("options.training_steps = 1e5",
     "options.training_steps must be an integer, received 100000.0."),
    ("options.disc_iters = 0", "options.disc_iters must be a positive integer, received 0."),
    ("options.lamba = -1", "options.lamba must be at least 0, received -1."),
    # Parts and schedules of the objective.
    ("S3GAN.penalties = [@r1(), @hinge]", "S3GAN.penalties must name a part of the kind 'penalty', "
     "but @hinge is of the kind 'loss'."),
    ('ModularGAN.penalties = ["r3"]', "Unknown penalty 'r3'."),
    ("S3GAN.penalties = [@wgangp_penalty()]",
     "S3GAN.penalties = @wgangp_penalty() is a call: write @wgangp_penalty without parentheses."),
    ("S3GAN.augmentations = [@diff_augmnt()]",
     "Nothing configurable is called 'diff_augmnt'. Did you mean 'diff_augment'?"),
    ("S3GAN.augmentations = [@r1()]", "S3GAN.augmentations must name a part of the kind "
     "'augmentation', but @r1() is of the kind 'penalty'."),
    ('S3GAN.augmentations = [@diff_augment()]\ndiff_augment.policy = "colour"',
     "Unknown operation of diff_augment.policy 'colour'. Did you mean 'color'?", _CHANGED + 1),
    ('ModularGAN.tasks = ["rotatoin"]', "Unknown task 'rotatoin'. Did you mean 'rotation'?"),
    ("S3GAN.penalties = [@r1()]\nr1.gamma = -1", "r1.gamma must be at least 0, received -1.",
     _CHANGED + 1),
    ("S3GAN.penalties = [@r1()]\nr1.interval = 0.5",
     "r1.interval must be an integer, received 0.5.", _CHANGED + 1),
    ("S3GAN.penalties = [@r1()]\nr1.gama = 1",
     "r1 has no parameter 'gama'. Did you mean 'gamma'?", _CHANGED + 1),
    ("S3GAN.g_lr = @cosine_decay", "S3GAN.g_lr = @cosine_decay is not a call: write "
     "@cosine_decay()."),
    ("S3GAN.g_lr = @hinge", "S3GAN.g_lr must name a part of the kind 'schedule', but @hinge is of "
     "the kind 'loss'."),
    ("S3GAN.g_lr = @cosine_decay()\ncosine_decay.steps = 0",
     "cosine_decay.steps must be a positive integer, received 0.", _CHANGED + 1),
    ("S3GAN.ema_decay = @cosine_decay()\ncosine_decay.initial = 2",
     "S3GAN.ema_decay must be between 0 and 1, received 2."),
    ("S3GAN.loss = @rp_gan", "loss.fn and S3GAN.loss are two spellings for the same part of the "
     "GAN: leave out one of them.", 15),
    ("S3GAN.lamba = 3", "S3GAN has no parameter 'lamba'."),
    ('S3GAN.g_lr = "fast"', "S3GAN.g_lr must be a number, received 'fast'."),
    ("S3GAN.g_lr = -0.1", "S3GAN.g_lr must be at least 0, received -0.1."),
    ("S3GAN.weight_class_loss = -1", "S3GAN.weight_class_loss must be at least 0, received -1."),
    ("S3GAN.ema_decay = 1.5", "S3GAN.ema_decay must be between 0 and 1, received 1.5."),
    ("ModularGAN.ema_decay = 2", "ModularGAN.ema_decay must be between 0 and 1, received 2."),
    ('S3GAN.conditional = "yes"', "S3GAN.conditional must be True or False, received 'yes'."),
    ("S3GAN.rotated_batch_fraction = 0.25",
     "S3GAN.rotated_batch_fraction must be an integer or None, received 0.25."),
    ("resnet_cifar.Generator.ch = '8'", "resnet_cifar.Generator.ch must be an integer"),
    ("resnet_cifar.Generator.ch = 0",
     "resnet_cifar.Generator.ch must be a positive integer, received 0."),
    ("resnet_cifar.Discriminator.ch = -8",
     "resnet_cifar.Discriminator.ch must be a positive integer, received -8."),
    ("G.batch_norm_fn = @self_modulated_batch_norm\nself_modulated_batch_norm.num_hidden = -3",
     "self_modulated_batch_norm.num_hidden must be at least 0, received -3.", 20),
    ("conditional_batch_norm.use_bias = 3",
     "conditional_batch_norm.use_bias must be True or False, received 3."),
    ('G.spectral_norm = "False"', "G.spectral_norm must be True or False, received 'False'."),
    ("standardize_batch.decay = 1.0",
     "standardize_batch.decay must be at least 0 and below 1, received 1.0."),
    ("standardize_batch.epsilon = -1",
     "standardize_batch.epsilon must be at least 0, received -1."),
    ("spectral_norm.epsilon = -1", "spectral_norm.epsilon must be at least 0, received -1."),
    ("standing_statistics.num_batches = 0",
     "standing_statistics.num_batches must be a positive integer, received 0."),
    ("weights.stddev = -0.02", "weights.stddev must be at least 0, received -0.02."),
    ("z.stddev = -1", "z.stddev must be at least 0, received -1."),
    ("eval_z.minval = 1", "eval_z.minval must be less than eval_z.maxval, received 1 and 1.0."),
    ("run_config.tf_random_seed = 10000000000000000000",
     "run_config.tf_random_seed must be between -9223372036854775808 and 9223372036854775807, "),
    ("tf.train.AdamOptimizer.beta1 = 'a'", "AdamOptimizer.beta1 must be a number, received 'a'."),
    ("tf.train.AdamOptimizer.beta1 = 2.0",
     "tf.train.AdamOptimizer.beta1 must be at least 0 and below 1, received 2.0."),
    ("tf.train.AdamOptimizer.beta2 = 1",
     "tf.train.AdamOptimizer.beta2 must be at least 0 and below 1, received 1."),
    ('S3GAN.d_optimizer_fn = "RMSPropOptimizer"\ntf.train.RMSPropOptimizer.epsilon = -1',
     "tf.train.RMSPropOptimizer.epsilon must be at least 0, received -1.", 20),
    ("dataset.labeled_fraction = 20",
     "dataset.labeled_fraction must be above 0 and at most 1, received 20."),
    ("dataset.pad_to = 16", "dataset.pad_to = 16 is less than the size of the images, 32x32."),
    ("evaluation.num_fake = 0", "evaluation.num_fake must be a positive integer, received 0."),
    ('evaluation.metrics = "fid"', "evaluation.metrics must be a list of names, received 'fid'."),
    # Batch sizes.
    ("options.batch_size = 15", "S3GAN.rotated_batch_fraction is 2: the batch size of a replica, "
     "15, must be a multiple of 8.", 11),
    ("options.batch_size = 12", "S3GAN.rotated_batch_fraction is 2: the batch size of a replica, "
     "12, must be a multiple of 8.", 11),
    # Label files: looked up before data is read, once everything else is correct.
    ('replace_labels.file_pattern = "/nowhere/{split}*"',
     "replace_labels.file_pattern = '/nowhere/{split}*' matches no file for the split 'train'."),
    ('replace_labels.file_pattern = "/nowhere/{split}*"\noptions.batch_size = 15',
     "S3GAN.rotated_batch_fraction is 2: the batch size of a replica, 15, must be", 11),
    ('replace_labels.file_pattern = "/nowhere/{split}*"\nreplace_labels.num_classes = 0',
     "replace_labels.num_classes must be a positive integer, received 0.", 20),
    # Images.
    ("dataset.pad_to = 48", "resnet_cifar is made for images of 32x32, received 48x48", 2),
    ("dataset.image_size = -3", "dataset.image_size must be a positive integer, received -3."),
    ("dataset.image_size = 32", "dataset.image_size cannot be set for 'test_classes'."),
    # Options that contradict each other.
    ("S3GAN.project_y = False", "S3GAN.use_predictor = True needs S3GAN.project_y = True.", 9),
    ("S3GAN.conditional = False", "S3GAN.project_y = True needs S3GAN.conditional = True.", 8),
    ("resnet_cifar.Generator.hierarchical_z = True\noptions.z_dim = 10",
     "hierarchical_z splits z into 4 equal parts for images of 32x32: options.z_dim must be a "
     "multiple of 4, received 10.", 20),
    ("D.batch_norm_fn = @self_modulated_batch_norm",
     "D.batch_norm_fn = SelfModulatedBatchNorm needs a latent z, which discriminators do not "
     "have."),
    ('dataset.name = "test_no_classes"',
     "S3GAN.conditional is True, but the data set has no classes: set it to False.", 7),
)  # fmt: skip

# A whole config, the message, and the line number that it reports: None for the whole config.
_WHOLE = (
    *(
        (_without(key), f"The config gives no value for {key}, which every run needs.", None)
        for key in (
            "options.gan_class",
            "options.architecture",
            "options.batch_size",
            "options.training_steps",
            "dataset.name",
        )
    ),
    (
        _without("S3GAN.rotated_batch_fraction"),
        "S3GAN.rotated_batch_fraction must be a positive integer with self_supervision = "
        "'rotation', received None.",
        10,
    ),
    (
        _SSGAN.replace("SSGAN.rotated_batch_size = 8\n", ""),
        "SSGAN.rotated_batch_size must be a multiple of 4 with self_supervision = 'rotation_gan', "
        "received None.",
        2,
    ),
    (
        _SSGAN.replace("size = 8", "size = 6"),
        "SSGAN.rotated_batch_size must be a multiple of 4 with self_supervision = 'rotation_gan', "
        "received 6.",
        6,
    ),
    (
        _SSGAN.replace("size = 8", "size = 128"),
        "SSGAN.rotated_batch_size is 128, of which 32 are originals: more than the batch size, 16.",
        6,
    ),
    (
        _SSGAN + "ModularGAN.g_lr = -1",
        "ModularGAN.g_lr must be at least 0, received -1.",
        7,
    ),
    (
        _SSGAN + "ModularGAN.conditional = True",
        "ModularGAN.conditional is True, but the data set has no classes: set it to False.",
        7,
    ),
    (
        _SSGAN + 'SSGAN.self_supervision = "rotation"\n',
        "Unknown SSGAN.self_supervision 'rotation'. Did you mean 'rotation_gan'?",
        7,
    ),
    (
        _SSGAN.replace("test_no_classes", "test_oblong"),
        "Rotation self-supervision needs square images, received 32x48",
        2,
    ),
    (
        _UNCONDITIONAL + "ModularGAN.conditional = True",
        "ModularGAN.conditional is True, but the data set has no classes: set it to False.",
        6,
    ),
    (
        _UNCONDITIONAL + "G.batch_norm_fn = @conditional_batch_norm",
        "G.batch_norm_fn = ConditionalBatchNorm needs labels, but the generator has none",
        6,
    ),
    *(
        (
            _of_family(key.split(".")[0]) + f"{key} = True",
            f"{key} = True needs ModularGAN.conditional = True.",
            7,
        )
        for key in (
            "resnet5.Discriminator.project_y",
            "resnet_cifar.Discriminator.project_y",
            "resnet_cifar.Generator.embed_y",
            "resnet_biggan.Generator.embed_y",
        )
    ),
    *(
        (
            _of_family(key.split(".")[0]) + f"{key} = 0",
            f"{key} must be a positive integer, received 0.",
            7,
        )
        for key in (
            "dcgan.Generator.ch",
            "infogan.Discriminator.ch",
            "resnet5.Generator.ch",
            "resnet_biggan_deep.Discriminator.ch",
            "resnet_biggan.Generator.embed_y_dim",
            "resnet_biggan_deep.Generator.embed_y_dim",
        )
    ),
    (
        _of_family("resnet_biggan") + "resnet_biggan.Generator.blocks_with_attention = 4",
        "resnet_biggan.Generator.blocks_with_attention must name blocks, such as 'B1' or 'B1, B4', "
        "received 4.",
        7,
    ),
    (
        _UNCONDITIONAL + "dataset.labeled_fraction = 0.2",
        "dataset.labeled_fraction is 0.2, but 'test_no_classes' has no labels.",
        6,
    ),
    *(
        (
            _UNCONDITIONAL.replace("sndcgan", family).replace("test_no_classes", "test_odd_size"),
            f"{family} is made for images of ",
            2,
        )
        for family in (
            "resnet5",
            "resnet30",
            "resnet_cifar",
            "resnet_stl",
            "resnet_biggan",
            "resnet_biggan_deep",
        )
    ),
)

# Arguments of `compare_gan train` and the message; CONFIG and FOLDER are filled in.
_COMMANDS = (
    (
        ["--gin_config", "CONFIG"],
        "--model_dir is needed: the directory that the run is written to.",
    ),
    (
        ["--model_dir", "FOLDER/run"],
        "--gin_config is needed: the gin file that says what to train.",
    ),
    (
        ["--model_dir", "FOLDER/run", "--gin_config", "FOLDER/confg.gin"],
        "There is no gin config 'FOLDER/confg.gin'. Did you mean 'CONFIG'?",
    ),
    (
        ["--model_dir", "FOLDER/run", "--gin_config", "FOLDER/lost/config.gin"],
        "There is no gin config 'FOLDER/lost/config.gin'; there is no folder 'FOLDER/lost' either.",
    ),
    (
        ["--model_dir", "CONFIG", "--gin_config", "CONFIG"],
        "--model_dir 'CONFIG' is a file, not a directory.",
    ),
    (
        ["--model_dir", "FOLDER/old", "--gin_config", "CONFIG"],
        "The run in 'FOLDER/old' was trained with another config (options.architecture: "
        "'dcgan_arch' → 'resnet_cifar_arch'; options.z_dim: 4 → 8): choose another --model_dir, or "
        "add --allow_config_change to continue with the new one.",
    ),
    (
        ["--model_dir", "FOLDER", "--gin_config", "CONFIG", "--gin_bindings", "options.zdim = 4"],
        "--gin_bindings: options has no parameter 'zdim'. Did you mean 'z_dim'?",
    ),
    (
        ["--model_dir", "FOLDER", "--gin_config", "CONFIG", "--schedule", "trian"],
        "Invalid value for '--schedule': 'trian' is not one of 'train', 'eval_after_train', ",
    ),
    (
        ["--model_dir", "FOLDER", "--gin_config", "CONFIG", "--num_eval_averaging_runs", "0"],
        "Invalid value for '--num_eval_averaging_runs': 0 is not in the range x>=1.",
    ),
    (
        ["--model_dir", "FOLDER", "--gin_confg", "CONFIG"],
        "No such option '--gin_confg'. (Did you mean one of: '--gin_bindings', '--gin_config'?)",
    ),
)

# Arguments of `compare_gan metrics` and the message; FOLDER, which holds some files, is filled in.
_METRICS = (
    (["--fake", "fashion_mnist_10k"], "'fid' compares with real images, but none are given."),
    (["--fake", "FOLDER/image"], "There is no file or folder 'FOLDER/image'."),
    (["--fake", "fashion_mnist10k"], "'fashion_mnist10k' is not a file, a folder or a data set. "
     "Did you mean the data set 'fashion_mnist_10k'?"),
    (["--fake", "fashion_mnist_10k:trian"],
     "Unknown split of fashion_mnist_10k 'trian'. Did you mean 'train'?"),
    (["--fake", "FOLDER/empty"], "'FOLDER/empty' holds no image (.png, .jpg, "),
    (["--fake", "FOLDER/images"], "'b.png' in 'FOLDER/images' cannot be read as an image: it is of "
     "no known format. With on_error skip, broken files are left out."),
    (["--fake", "FOLDER/config.gin"], "'FOLDER/config.gin' cannot be read (File is not a zip file)"
     ": a folder, a .zip, an .npz or a .csv of files and labels is needed."),
    (["--fake", "FOLDER/floats.npz"], "The images of 'FOLDER/floats.npz' must be uint8 [n, H, W, C]"
     ", received float64 [2, 4, 4, 1]."),
    (["--fake", "FOLDER/statistics.npz", "--metrics", "inception_score"], "'inception_score' needs "
     "images, but 'FOLDER/statistics.npz' holds only a mean and a covariance (mu, sigma)."),
    (["--fake", "fashion_mnist_10k", "--metrics", "fid,kidd"], "Unknown metric 'kidd'."),
    (["--fake", "fashion_mnist_10k", "--real", "fashion_mnist_10k", "--extractor", "fashion_cn"],
     "Unknown extractor 'fashion_cn'. Did you mean 'fashion_cnn'?"),
    (["--fake", "FOLDER/good", "--metrics", "class_agreement"],
     "'class_agreement' needs labels, but 'FOLDER/good' has none: use one subfolder per class, "),
    (["--fake", "fashion_mnist_10k", "--num_fake", "10001", "--metrics", "inception_score"],
     "'fashion_mnist_10k:train' holds 10000 images, fewer than 10001."),
    (["--fake", "fashion_mnist_10k", "--protocol", "fid50k"], "Unknown protocol 'fid50k'."),
    (["--fake", "fashion_mnist_10k", "--real", "fashion_mnist_10k", "--protocol", "fid50k_train"],
     "The protocol 'fid50k_train' needs 50000 real images, but 'fashion_mnist_10k:train' holds "
     "10000: where there are no more, define a protocol for fewer images"),
    (["--fake", "fashion_mnist_10k", "--real", "fashion_mnist_10k", "--protocol", "fid10k_test"],
     "The protocol 'fid10k_test' compares with the split 'test', which 'fashion_mnist_10k' "
     "lacks; it has train."),
    (["--fake", "fashion_mnist_10k", "--protocol", "fid10k_train", "--metrics", "fid"],
     "The protocol 'fid10k_train' sets metrics: leave it out, received ['fid']."),
    (["--fake", "fashion_mnist_10k", "--num_fake", "0"], "Invalid value for '--num_fake': 0 is"),
    (["--fake", "fashion_mnist_10k", "--gin_bindings", "fashion_cnn.path = 'a'"],
     "--gin_bindings: fashion_cnn has no parameter 'path'."),
    (["--fake", "fashion_mnist_10k", "--output", "FOLDER"],
     "--output must name a file, 'FOLDER' is a folder."),
    (["--fake", "fashion_mnist_10k", "--pictures", "FOLDER/config.gin"],
     "--pictures must name a folder, 'FOLDER/config.gin' is a file."),
)  # fmt: skip

_SECONDS = 5.0  # Of the processor: others that wait for it do not count.


@pytest.fixture(autouse=True, scope="module")
def _data_sets_that_must_not_be_read():
    def read():
        raise AssertionError("Data was touched.")

    shape = (32, 32, 3)
    datasets.define("test_classes", read, shape, 10, summary="Ten classes.")
    datasets.define("test_no_classes", read, shape, summary="No classes.")
    datasets.define("test_oblong", read, (32, 48, 3), summary="Images that are not square.")
    datasets.define("test_odd_size", read, (40, 40, 3), summary="Images that no ResNet generates.")
    yield
    for name in ("test_classes", "test_no_classes", "test_oblong", "test_odd_size"):
        del registry._components["dataset"][name]


@pytest.fixture(name="complain")
def _complain(capsys, record_property, tmp_path, slowness):
    """Runs a command with a mistake; returns what it says, checked for form and time."""

    def complain(*args: str, command: str = "train") -> str:
        started = time.process_time()
        with pytest.raises(SystemExit) as exit_:
            command_line.main([command, *args])
        seconds = time.process_time() - started
        out, err = capsys.readouterr()
        assert exit_.value.code == 2, err
        assert "Traceback" not in err and not out
        assert seconds < _SECONDS * slowness()
        # Folders are described before they are compared.
        said = [each for each in err.splitlines() if not re.match(r"'.*': [\d,]+ images?, ", each)]
        *usage, sentence = said
        assert sentence.startswith("Error: ")
        # Click adds its usage for a wrong option.
        assert not usage or usage[0].startswith("Usage: ")
        assert not (tmp_path / "run").exists()
        sentence = sentence.removeprefix("Error: ")
        record_property("sentence", sentence)  # A report (--junit-xml) then contains all messages.
        return sentence

    return complain


def _complaint_about(text: str, complain, tmp_path, monkeypatch) -> str:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.gin").write_text(text)
    return complain("--model_dir", "run", "--gin_config", "config.gin")


@pytest.mark.parametrize("case", _ADDED, ids=lambda case: case[0])
def test_a_wrong_line(case, complain, tmp_path, monkeypatch):
    added, sentence, line = case if len(case) == 3 else (*case, _CHANGED)
    said = _complaint_about(_GOOD + added + "\n", complain, tmp_path, monkeypatch)
    assert said.startswith(f"config.gin, line {line}: {sentence}")


@pytest.mark.parametrize("case", _WHOLE, ids=lambda case: case[1][:40])
def test_a_wrong_config(case, complain, tmp_path, monkeypatch):
    text, sentence, line = case
    said = _complaint_about(text, complain, tmp_path, monkeypatch)
    place = "config.gin" if line is None else f"config.gin, line {line}"
    assert said.startswith(f"{place}: {sentence}")


@pytest.mark.parametrize("case", _COMMANDS, ids=lambda case: case[1][:40])
def test_a_wrong_command(case, complain, tmp_path):
    path = tmp_path / "config.gin"
    path.write_text(_GOOD)
    (tmp_path / "old").mkdir()
    old = _GOOD.replace("z_dim = 8", "z_dim = 4").replace("resnet_cifar_arch", "dcgan_arch")
    (tmp_path / "old" / "config.gin").write_text(old)

    def fill_in(text):
        return text.replace("FOLDER", str(tmp_path)).replace("CONFIG", str(path))

    args, sentence = case
    assert complain(*map(fill_in, args)).startswith(fill_in(sentence))


@pytest.mark.parametrize("case", _METRICS, ids=lambda case: case[1][:40])
def test_a_wrong_set_of_images(case, complain, tmp_path):
    for name in ("images", "good", "empty"):
        (tmp_path / name).mkdir()
    Image.new("L", (4, 4)).save(tmp_path / "good" / "a.png")
    (tmp_path / "images" / "b.png").write_text("no image")
    (tmp_path / "config.gin").write_text(_GOOD)
    np.savez(tmp_path / "floats.npz", images=np.zeros([2, 4, 4, 1]))
    np.savez(tmp_path / "statistics.npz", mu=np.zeros(3), sigma=np.eye(3))
    args, sentence = case
    said = complain(*(arg.replace("FOLDER", str(tmp_path)) for arg in args), command="metrics")
    assert said.startswith(sentence.replace("FOLDER", str(tmp_path)))


@pytest.mark.parametrize(
    ("text", "sentence", "line"),
    (
        (_GOOD, "options.batch_size is 16, which 3 replicas cannot share equally.", 3),
        (
            _GOOD + "options.batch_size = 12\n",
            "S3GAN.rotated_batch_fraction is 2: the batch size of a replica, 4, must be a multiple "
            "of 8.",
            11,
        ),
        (
            _GOOD.replace("size = 16", "size = 24")
            + "dataset.inferred_labels = True\npretext.batch_size = 32\n",
            "pretext.batch_size is 32, which 3 replicas cannot share equally.",
            20,
        ),
        (
            _GOOD.replace("size = 16", "size = 24")
            + "dataset.inferred_labels = True\npretext.batch_size = 33\n"
            + 'infer_labels.features = "semi_supervised"\npretext.labeled_batch_size = 32\n',
            "pretext.labeled_batch_size is 32, which 3 replicas cannot share equally.",
            22,
        ),
    ),
)
def test_a_batch_that_replicas_cannot_share(text, sentence, line, complain, tmp_path, monkeypatch):
    class Strategy:
        num_replicas_in_sync = 3
        scope = contextlib.nullcontext

    monkeypatch.setattr("compare_gan.training.modes.make_strategy", lambda *args: Strategy())
    said = _complaint_about(text, complain, tmp_path, monkeypatch)
    assert said == f"config.gin, line {line}: {sentence}"


def test_a_dry_run_reports_the_same(complain, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.gin").write_text(_GOOD + "options.batch_size = 12\n")
    said = complain("--dry-run", "--gin_config", "config.gin")
    assert said.startswith("config.gin, line 11: S3GAN.rotated_batch_fraction is 2: ")


def test_nothing_is_built_before_a_mistake_is_found(complain, tmp_path):
    """BigGAN at 256 pixels: building it takes a minute, and its data is missing."""
    text = _UNCONDITIONAL.replace("sndcgan", "resnet_biggan")
    text = text.replace("test_no_classes", "imagenet_256")
    path = tmp_path / "config.gin"
    path.write_text(text + "G.batch_norm_fn = @conditional_batch_norm\n")
    said = complain("--model_dir", str(tmp_path / "run"), "--gin_config", str(path))
    assert said.startswith(f"{path}, line 6: G.batch_norm_fn = ConditionalBatchNorm needs")
