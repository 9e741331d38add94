"""Headlines: the VM is in them, an emulated one in a sentence of its own, and bounds have their names."""

from __future__ import annotations

import pytest

from bench.sim.answer.answer import Band, Bottleneck, Quantity
from bench.sim.host.headline import compared_headline, decided_by, rivals

ASKED = ("runc", "docker", "gvisor", "libvirt/tcg", "process")


def _flat(value: float) -> Band:
    return Band(middle=value, low80=value, high80=value, low95=value, high95=value)


def _headline(
    targets: tuple[str, ...],
    limits: dict[str, Bottleneck] | None = None,
    bound: str | None = None,
    *,
    base: str = "docker",
    either: dict[str, tuple[float, float]] | None = None,
) -> str:
    times = {label: 1e9 * (number + 1) for number, label in enumerate(targets)}
    two = either or {}
    quantities = [
        Quantity(
            name="storm.last",
            unit="ns",
            target=label,
            band=_flat(ns),
            bound=bound if label == base else None,
            either=two.get(label),
        )
        for label, ns in times.items()
    ]
    quantities += [
        Quantity(
            name="storm.last",
            unit="ratio",
            target=f"{label} : {base}",
            band=_flat(ns / times[base]),
            either=two.get(f"{label} : {base}"),
        )
        for label, ns in times.items()
        if label != base
    ]
    return compared_headline(
        quantities,
        limits or {label: Bottleneck(target=label, name="CPU") for label in targets},
        name="storm.last",
        targets=targets,
        baseline=base,
        lead="the last is up after {}",
        relation="{other} needs {ratio} as long",
    )


@pytest.mark.parametrize(
    ("targets", "found"),
    [
        (ASKED, ("runc", "libvirt/tcg")),
        (("docker", "runc", "libvirt/kvm", "qemu/tcg"), ("libvirt/kvm", None)),
        (("docker", "libvirt/tcg"), ("libvirt/tcg", None)),
        (("docker", "runc"), ("runc", None)),
        (("docker",), (None, None)),
        (("gvisor", "uml", "docker", "libvirt/tcg"), ("uml", "libvirt/tcg")),
        (("uml", "docker", "libvirt/kvm"), ("libvirt/kvm", None)),
        (("uml", "docker", "runc in libvirt/kvm"), ("runc in libvirt/kvm", None)),
        (("docker", "libvirt[console=serial]/kvm", "runc"), ("libvirt[console=serial]/kvm", None)),
    ],
)
def test_the_vm_is_compared_where_one_was_asked_for(
    targets: tuple[str, ...], found: tuple[str | None, str | None]
) -> None:
    assert rivals(targets, "docker") == found


def test_memory_has_no_emulated_sort() -> None:
    assert rivals(ASKED, "docker", times=False) == ("libvirt/tcg", None)


def test_an_emulated_vm_has_a_sentence_of_its_own() -> None:
    text = _headline(ASKED)
    first, _, second = text.partition(" libvirt/tcg has an emulated CPU: ")
    assert "runc needs 0.5× [0.5×, 0.5×] as long" in first
    assert second.startswith("4.00 s [4.00 s, 4.00 s]; it needs 2× [2×, 2×] as long.")
    assert second.endswith("This is not what KVM would cost.")


def test_without_another_target_the_emulated_one_is_marked() -> None:
    text = _headline(("docker", "libvirt/tcg"))
    assert "after 2.00 s [2.00 s, 2.00 s] in libvirt/tcg (emulated CPU) and 1.00 s" in text
    assert "libvirt/tcg needs 2×" in text
    # A warning above every answer says what that means.
    assert "This is not" not in text
    assert "libvirt/tcg (emulated CPU)" in _headline(("libvirt/tcg",), base="libvirt/tcg")


def test_uml_is_compared_where_there_is_no_vm_and_is_said_to_be_none() -> None:
    text = _headline(("docker", "gvisor", "uml", "libvirt/tcg"))
    assert "uml needs 3× [3×, 3×] as long" in text
    assert "gvisor" not in text
    assert "uml has no hardware virtualisation: it is no estimate of KVM" in text
    assert " libvirt/tcg has an emulated CPU: 4.00 s" in text


def test_a_headline_never_stands_between_two_answers() -> None:
    text = _headline(("docker", "runc"), either={"runc": (0.5e9, 3e9)})
    assert "after 500 ms or 3.00 s [2.00 s, 2.00 s] in runc and 1.00 s" in text
    assert "needs" not in text
    both = _headline(("docker", "runc"), either={"runc": (0.5e9, 3e9), "runc : docker": (0.5, 3.0)})
    assert "runc needs 0.5× or 3× [2×, 2×] as long" in both


def test_a_bound_has_its_target() -> None:
    assert _headline(("docker", "runc"), bound="at least 1 s").endswith(
        " No estimate, but a bound: docker: at least 1 s."
    )


def test_what_decides_is_said_once_or_by_target() -> None:
    limits = {"a": Bottleneck(target="a", name="CPU"), "b": Bottleneck(target="b", name="lock", share=0.62)}
    assert decided_by(limits, ["a"]) == "decided by CPU"
    assert decided_by(limits, ["a", "b"]) == "decided by CPU (a) and the lock in 62% of the draws (b)"


def test_a_bound_far_below_the_answer_decides_nothing() -> None:
    short = Bottleneck(target="b", name="CPU", bounds_ns={"CPU": 3.08e9}, reached=0.55, open="the lock hold")
    limits = {"a": Bottleneck(target="a", name="CPU", reached=0.95), "b": short}
    said = "b: CPU bounds it from below, at 3.08 s, and what is open is the lock hold"
    assert decided_by(limits, ["b"]) == said
    assert decided_by(limits, ["a", "b"]) == f"decided by CPU (a); {said}"
    nothing = short.model_copy(update={"open": None})
    assert decided_by({"b": nothing}, ["b"]) == "b: CPU bounds it from below, at 3.08 s"
