"""dp_cgan keeps the promises of every generator."""

from contract import GeneratorContract


class TestDPCGAN(GeneratorContract):
    generator = "dp_cgan"
    options = {"epochs": 2}  # noqa: RUF012
