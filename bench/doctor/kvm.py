"""The check whether VM targets can use KVM: it boots the guest kernel, which no other check does."""

from __future__ import annotations

from bench.doctor.check import Check, Host
from bench.image.vm.kernel import find_guest_kernel
from bench.targets.vms.accel import why_no_kvm


def check_kvm_boot(host: Host) -> Check:
    """Whether the guest kernel boots under KVM. Takes seconds the first time; the answer is cached."""
    del host
    reason = why_no_kvm(find_guest_kernel())
    if reason is None:
        return Check("kvm-boot", "ok", "the guest kernel boots under KVM")
    fix = "VM targets run under TCG, an emulated CPU, and are labelled tcg; use a host with working KVM for real costs"
    return Check("kvm-boot", "warn", reason.removeprefix("kvm: "), fix)
