"""Configs of StudioGAN become configs; `convert` refuses what fails the checks of `train`."""

import pathlib

import pytest

from compare_gan import config
from compare_gan.errors import UserError
from compare_gan.hub.studiogan import conversion, convert
from compare_gan.training.checks import gan_without_variables
from compare_gan.training.run_options import Options

_FOLDER = pathlib.Path(__file__).parent / "studiogan_configs"


def _bindings(conversion):
    lines = [line for line in conversion.gin.splitlines() if line and line[0] != "#"]
    return dict(line.split(" = ", 1) for line in lines)


def _converted(name):
    return convert((_FOLDER / f"{name}.yaml").read_text(), f"{name}.yaml")


def test_a_multi_hinge_gan_with_codes():
    conversion = _converted("mhgan")
    found = _bindings(conversion)
    expected = {
        "ModularGAN.loss": "@multi_hinge()",
        "multi_hinge.g_weight": "0.1",
        "multi_hinge.feature_matching": "0.5",
        "ModularGAN.tasks": "[@info()]",
        "info.weight": "0.7",
        "info.weight_continuous": "0.1",
        "info_codes.categories": "[10, 10]",
        "info_codes.continuous": "3",
        "z.distribution_fn": "@info_codes()",
        "options.z_dim": "103",  # 80 of noise, 20 and 3 of codes.
    }
    assert {name: found.get(name) for name in expected} == expected
    # The checks of `train` refuse both with this loss.
    assert not {"ModularGAN.top_k", "ModularGAN.augmentations"} & set(found)
    assert [each.split(":")[0] for each in conversion.missing] == [
        "MODEL.info_num_conti_c", "MODEL.info_type", "LOSS.apply_topk", "AUG.apply_ada"
    ]  # fmt: skip


def test_settings_without_effect_are_not_listed():
    conversion = convert(
        "LOSS: {gp_lambda: 3, lo_steps4eval: 4, fm_lambda: 2, infoGAN_loss_conti_lambda: 0.1}\n"
        "AUG: {cr_aug_type: bcr, ada_kimg: 100, apply_apa: true, apa_initial_augment_p: 0}\n"
        "MODEL: {apply_d_sn: true, info_dim_discrete_c: 10}\n"
    )
    assert conversion.missing == ()
    conversion = convert(
        "LOSS: {apply_cr: true}\nMODEL: {apply_d_sn: true}\n"
        "AUG: {cr_aug_type: bcr, apply_apa: true, apa_initial_augment_p: 0.2}"
    )
    assert conversion.missing == (
        "AUG.apa_initial_augment_p = 0.2: it begins at 0 here", "AUG.cr_aug_type = bcr"
    )  # fmt: skip


def test_a_contrastive_biggan():
    conversion = _converted("reacgan_cifar10")
    assert conversion.missing == ()
    found = _bindings(conversion)
    expected = {
        "dataset.name": "'cifar10'",
        "dataset.flip": "True",  # StudioGAN's default.
        "options.architecture": "'resnet_biggan_arch'",
        "options.z_dim": "80",
        "options.batch_size": "64",
        "options.disc_iters": "5",
        "resnet_biggan.Generator.blocks_with_attention": "'B2'",
        "resnet_biggan.Discriminator.blocks_with_attention": "'B1'",
        "resnet_biggan.Discriminator.project_y": "False",
        "ModularGAN.tasks": "[@reacgan()]",
        "reacgan.weight_d": "0.5",
        "reacgan.margin": "0.98",
        "reacgan.temperature": "0.5",
        "loss.fn": "@hinge",
        "ModularGAN.penalties": "[@lecam()]",
        "lecam.weight": "0.3",
        "ModularGAN.augmentations": "[@diff_augment()]",
        "ModularGAN.ema_decay": "0.9999",
        "tf.train.AdamOptimizer.beta1": "0.5",
    }
    assert {name: found.get(name) for name in expected} == expected


def test_penalties_on_gradients_are_rescaled_to_images_in_0_1():
    conversion = _converted("stylegan2_ada")
    found = _bindings(conversion)
    assert found["r1.gamma"] == "0.0025" and found["r1.interval"] == "16"
    assert found["options.batch_size"] == "64" and found["run_config.microbatches"] == "2"
    assert found["ModularGAN.ema_half_life"] == "500000"
    assert found["ada.images"] == "500000" and found["ada.policy"] == "'blit,geometry,color'"
    assert found["stylegan2.Discriminator.connections"] == "'plain'"
    # Lazy penalties join an update here: rates and decays are those of the YAML file.
    assert any(
        each.startswith("STYLEGAN.g_reg_interval = 4: it low") for each in conversion.missing
    )
    assert found["ModularGAN.g_lr"] == found["ModularGAN.d_lr"] == "0.0025"
    assert found["tf.train.AdamOptimizer.beta2"] == "0.99"
    found = _bindings(_converted("everything"))
    assert found["zcr.weight_g"] == "2.0" and found["max_gp.weight"] == "0.25"


def test_widths_and_penalties_of_sngan():
    conversion = _converted("sngan")
    found = _bindings(conversion)
    config.parse((), [f"{name} = {value}" for name, value in found.items()])
    gan = gan_without_variables(Options.from_gin(), (32, 32, 3), 10)
    # StudioGAN's networks at 32 pixels have 4 * 64 and 2 * 64 channels.
    assert (gan.generator.ch, gan.discriminator.ch) == (256, 128)
    assert found["ModularGAN.penalties"] == (
        "[@gp/function_penalty(), @dra/function_penalty(), @cr()]"
    )
    assert found["gp/function_penalty.weight"] == "10"
    assert found["dra/function_penalty.fn"] == "@dragan_penalty"
    assert "OPTIMIZATION.d_first = False" in conversion.missing
    assert any(each.startswith("LOSS.cond_lambda = 0.5") for each in conversion.missing)


def test_a_classifier_learns_from_real_images_only():
    found = _bindings(convert("MODEL: {d_cond_mtd: AC, g_cond_mtd: cBN}"))
    assert found["ac_gan.weight_d_fake"] == "0.0"


def test_probabilities_that_adapt_come_with_losses_that_decide_at_zero():
    found = _bindings(convert("LOSS: {adv_loss: hinge}\nAUG: {apply_apa: true, apa_target: 0.4}"))
    assert (found["ModularGAN.augmentations"], found["apa.target"]) == ("[@apa()]", "0.4")


def test_attention_of_biggan_deep_is_listed():
    text = "MODEL: {backbone: big_resnet_deep_legacy, apply_attn: true, attn_d_loc: [1]}"
    assert any(each.startswith("MODEL.attn_d_loc = [1]") for each in convert(text).missing)


def test_what_has_no_counterpart_is_listed():
    conversion = _converted("everything")
    assert "MODEL.g_act_fn = Leaky_ReLU" in conversion.missing
    assert "LOSS.lo_steps4eval = 4" in conversion.missing
    assert any("data/Flowers" in sentence for sentence in conversion.missing)
    assert any(each.startswith("AUG.apply_apa: ") for each in conversion.missing)
    assert all(f"#   {sentence}" in conversion.gin for sentence in conversion.missing)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("MODEL: [", r"config.yaml is not YAML: .* line 1"),
        ("a: 1", "config.yaml is not a config of StudioGAN: it has none of the sections DATA, "),
        ("MODEL: {backbone: stylegan3}", "the backbone 'stylegan3' has no .* mean 'stylegan2'"),
        ("LOSS: {adv_loss: hing}", "the loss 'hing' has no counterpart. Did you mean 'hinge'"),
        ("OPTIMIZATION: {type_: Adm}", "the optimizer 'Adm' has no .* Did you mean 'Adam'"),
        (
            "AUG: {apply_ada: true, ada_aug_type: bgx}",
            "ADA's policy 'bgx' has no .* Did you mean 'bg",
        ),
        ("MODEL: {info_type: bot}", "codes of the type 'bot' have no .* Did you mean 'both'"),
        ("LOSS: {adv_loss: MH}", "cannot be converted.*needs ModularGAN.conditional = True"),
        ("MODEL: 3", "the section MODEL must have settings by name"),
        ("LOSS: {apply_cr: true, cr_lambda: much}", "LOSS.cr_lambda must be a number, .* 'much'"),
        ("OPTIMIZATION: {total_steps: lots}", "OPTIMIZATION.total_steps must be a n.* 'lots'"),
        ("OPTIMIZATION: {total_steps: 1.5}", "total_steps must be an integer, received 1.5"),
        ("OPTIMIZATION: {g_lr: .nan}", "OPTIMIZATION.g_lr must be a number, received nan"),
        ("MODEL: {z_dim: N/A}", "MODEL.z_dim must be a number, received None"),
        (
            "MODEL: {backbone: big_resnet, apply_attn: true, attn_g_loc: B2}",
            "MODEL.attn_g_loc must be a list of integers, received 'B2'",
        ),
    ],
)
def test_mistakes_are_reported(text, message):
    with pytest.raises(UserError, match=message):
        convert(text)


def test_numbers_may_be_text():
    text = "OPTIMIZATION: {g_lr: 1e-4, total_steps: 2e5}\nLOSS: {apply_cr: true, cr_lambda: 1e1}"
    found = _bindings(convert(text))
    assert (found["ModularGAN.g_lr"], found["cr.weight"]) == ("0.0001", "10.0")
    assert found["options.training_steps"] == "200000"


@pytest.mark.parametrize(
    ("name", "value", "message"),
    (
        ("options.traning_steps", "1", "'training_steps'"),
        ("ModularGAN.top_k", "2", r"ModularGAN\.top_k must be between 0 and 1"),
    ),
)
def test_the_result_passes_the_checks_of_train(monkeypatch, name, value, message):
    def mistaken(settings, missing):
        yield name, value

    monkeypatch.setitem(conversion._RULES, "Other.", mistaken)
    with pytest.raises(UserError, match=rf"config.yaml cannot be converted\..*{message}"):
        convert("MODEL: {}")


def test_a_discriminator_without_projection_gets_that_of_s3gan():
    found = _bindings(convert("MODEL: {backbone: deep_conv, d_cond_mtd: PD, g_cond_mtd: cBN}"))
    assert (found["options.gan_class"], found["S3GAN.project_y"]) == ("@S3GAN", "True")


def test_the_command_writes_a_file_and_lists_what_is_missing(run_command, tmp_path):
    output = tmp_path / "flowers.gin"
    status, out, err = run_command(
        "convert", "studiogan", str(_FOLDER / "everything.yaml"), "--output", str(output)
    )
    assert (status, out) == (0, f"{output}\n")
    assert "MODEL.g_act_fn = Leaky_ReLU" in err
    assert output.read_text().startswith("# Converted from everything.yaml of StudioGAN")
    output.write_text("mine")
    status, _, err = run_command(
        "convert", "studiogan", str(_FOLDER / "everything.yaml"), "--output", str(output)
    )
    assert status == 2 and "flowers.gin' exists already: choose another --output." in err
    assert output.read_text() == "mine"
    status, _, err = run_command("convert", "studiogan", str(tmp_path / "none.yaml"))
    assert status == 2 and "There is no file" in err
