/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "core/machine_check.h"

#include "core/cpu.h"
#include "core/event.h"
#include "x86/exception.h"
#include "x86/registers.h"

/*
 * Machine checks of the guest's own processor. None ever comes by itself: what fails in
 * the host's hardware is the host's business, who may hand it on (a page of the guest's
 * memory that is lost) by writing it into a bank and raising #MC.
 */

#define MCG_CAP_COUNT	  0xffull
#define MCG_CAP_EXT_COUNT 0xff0000ull
#define MCG_CAP_CTL_P	  (1ull << 8) /* IA32_MCG_CTL is there */
#define MCG_STATUS_MCIP	  (1ull << 2) /* one is being handled */
#define MCI_STATUS_VAL	  (1ull << 63)
#define MCI_STATUS_OVER	  (1ull << 62) /* another came before this one was cleared */
#define MCI_STATUS_UC	  (1ull << 61) /* uncorrected */
#define MCI_CTL_ALL	  UINT64_MAX
/* Bits that kernels clear in CTL on processors with errata (APM 2, 9.3.2). */
#define MCI_CTL_MAY_BE_OFF ((1ull << 10) | 1)

/* The words of a bank. */
enum {
	BANK_CTL,
	BANK_STATUS,
	BANK_ADDR,
	BANK_MISC,
};

void machine_check_start(struct hv_vcpu *vcpu)
{
	vcpu->machine_check.cap = HV_MCE_BANKS_MAX;
}

bool hv_vcpu_set_machine_check_cap(struct hv_vcpu *vcpu, uint64_t cap)
{
	struct hv_machine_check *mce = &vcpu->machine_check;
	uint64_t banks = cap & MCG_CAP_COUNT;

	if (!banks || banks > HV_MCE_BANKS_MAX ||
	    cap & ~(HV_MCE_CAP_SUPPORTED | MCG_CAP_COUNT | MCG_CAP_EXT_COUNT))
		return false;
	mce->cap = cap;
	if (cap & MCG_CAP_CTL_P)
		mce->control = MCI_CTL_ALL;
	for (uint64_t i = 0; i < banks; i++)
		mce->banks[i][BANK_CTL] = MCI_CTL_ALL;
	return true;
}

/* ---- registers -------------------------------------------------------------------------- */

/* The word of a bank that the guest has, or NULL. */
static uint64_t *bank_word(struct hv_machine_check *mce, uint32_t index)
{
	uint32_t word = index - IA32_MC0_CTL;

	if (index < IA32_MC0_CTL || word / HV_MCE_BANK_WORDS >= (mce->cap & MCG_CAP_COUNT))
		return NULL;
	return &mce->banks[word / HV_MCE_BANK_WORDS][word % HV_MCE_BANK_WORDS];
}

bool machine_check_read(struct hv_vcpu *vcpu, uint32_t index, bool by_host, uint64_t *value)
{
	struct hv_machine_check *mce = &vcpu->machine_check;
	const uint64_t *word;

	switch (index) {
	case IA32_MCG_CAP:
		*value = mce->cap;
		return true;
	case IA32_MCG_STATUS:
		*value = mce->status;
		return true;
	case IA32_MCG_CTL:
		*value = mce->control;
		return by_host || mce->cap & MCG_CAP_CTL_P;
	default:
		word = bank_word(mce, index);
		*value = word ? *word : 0;
		return word;
	}
}

static bool write_control(struct hv_machine_check *mce, bool by_host, uint64_t value)
{
	if (!(mce->cap & MCG_CAP_CTL_P))
		return by_host && !value;
	if (value && value != MCI_CTL_ALL)
		return false;
	mce->control = value;
	return true;
}

/* SDM 3, 16.3.2: CTL is all or nothing here; a STATUS can only be cleared. */
static bool write_bank(struct hv_vcpu *vcpu, uint32_t index, bool by_host, uint64_t value)
{
	struct hv_machine_check *mce = &vcpu->machine_check;
	uint64_t *word = bank_word(mce, index);
	uint32_t which = (index - IA32_MC0_CTL) % HV_MCE_BANK_WORDS;

	if (!word)
		return false;
	if (which == BANK_CTL && value && (value | MCI_CTL_MAY_BE_OFF) != MCI_CTL_ALL)
		return false;
	if (which == BANK_STATUS && value && !by_host && !(vcpu->hwcr & HV_HWCR_MC_STATUS_WRITE))
		return false;
	*word = value;
	return true;
}

bool machine_check_write(struct hv_vcpu *vcpu, uint32_t index, bool by_host, uint64_t value)
{
	struct hv_machine_check *mce = &vcpu->machine_check;

	switch (index) {
	case IA32_MCG_CAP:
		return by_host; /* it is set once, with hv_vcpu_set_machine_check_cap() */
	case IA32_MCG_STATUS:
		mce->status = value;
		return true;
	case IA32_MCG_CTL:
		return write_control(mce, by_host, value);
	default:
		return write_bank(vcpu, index, by_host, value);
	}
}

/* ---- errors ------------------------------------------------------------------------------- */

static void log_error(uint64_t *bank, const struct hv_machine_error *error)
{
	bank[BANK_STATUS] = error->status |
			    (bank[BANK_STATUS] & MCI_STATUS_VAL ? MCI_STATUS_OVER : 0);
	bank[BANK_ADDR] = error->address;
	bank[BANK_MISC] = error->misc;
}

/* SDM 3, 16.3.2.2.1: an uncorrected one is not overwritten by one that was corrected. */
static void log_corrected(uint64_t *bank, const struct hv_machine_error *error)
{
	const uint64_t uncorrected = MCI_STATUS_VAL | MCI_STATUS_UC;

	if ((bank[BANK_STATUS] & uncorrected) == uncorrected)
		bank[BANK_STATUS] |= MCI_STATUS_OVER;
	else
		log_error(bank, error);
}

/* One while another is handled, or that the guest can't handle, ends it (SDM 3, 16.3.1.2). */
static void raise(struct hv_vcpu *vcpu, uint64_t *bank, const struct hv_machine_error *error)
{
	struct hv_machine_check *mce = &vcpu->machine_check;

	if ((mce->cap & MCG_CAP_CTL_P && mce->control != MCI_CTL_ALL) ||
	    bank[BANK_CTL] != MCI_CTL_ALL)
		return; /* switched off */
	vcpu->halted = false;
	if (mce->status & MCG_STATUS_MCIP ||
	    !(vcpu->vm->ops->read_control(vcpu, HV_CR4) & CR4_MCE)) {
		hv_vcpu_request(vcpu, HV_REQUEST_SHUTDOWN);
		return;
	}
	log_error(bank, error);
	mce->status = error->global_status;
	if (event_raise(vcpu, EXCEPTION_MC, false, 0))
		hv_vcpu_request(vcpu, HV_REQUEST_SHUTDOWN);
}

bool hv_vcpu_machine_check(struct hv_vcpu *vcpu, const struct hv_machine_error *error)
{
	struct hv_machine_check *mce = &vcpu->machine_check;

	if (error->bank >= (mce->cap & MCG_CAP_COUNT) || !(error->status & MCI_STATUS_VAL))
		return false;
	if (error->status & MCI_STATUS_UC)
		raise(vcpu, mce->banks[error->bank], error);
	else
		log_corrected(mce->banks[error->bank], error);
	return true;
}
