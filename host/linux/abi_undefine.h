/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Between two uses of abi.def. No include guard: it is read after each of them. */
#undef SYSTEM
#undef VM
#undef VCPU
#undef SYSTEM_REFUSED
#undef VM_REFUSED
#undef VCPU_REFUSED
#undef ABSENT
