/* SPDX-License-Identifier: MIT OR GPL-2.0-only */

/*
 * What a new vCPU's VMCB says on different processors: features are used where they are,
 * and left alone where they are not, since the field behind one is reserved there.
 */

#include "core/svm/svm.h"
#include "tests/unit/core_fixture.h"

/* What only a real processor, or a real host, has: nothing here enters a guest. */
void svm_switch(uint64_t vmcb_physical, uint64_t *gpr, uint64_t host_save_physical,
		unsigned int barriers)
{
	(void)vmcb_physical, (void)gpr, (void)host_save_physical, (void)barriers;
	fail();
}

unsigned int host_barriers(void)
{
	return 0;
}

void host_restore_selectors(const struct host_selectors *host)
{
	(void)host;
	fail();
}

static struct hv_vcpu fresh;

static const struct vmcb *vmcb_on(struct svm_features features)
{
	assert_int_equal(svm_ops.start(), HOST_OK);
	svm_features = features;
	memset(&fresh, 0, sizeof(fresh));
	fresh.vm = &vm;
	assert_int_equal(svm_vcpu_init(&fresh), HOST_OK);
	return svm_vcpu(&fresh)->vmcb;
}

static void forget(void)
{
	svm_vcpu_free(&fresh);
	svm_ops.stop();
}

static void test_pause_is_free_without_a_filter(void **state)
{
	const struct vmcb *vmcb = vmcb_on((struct svm_features){ .nrip_save = true });

	(void)state;
	assert_false(vmcb_intercepts(vmcb, SVM_EXIT_PAUSE));
	assert_int_equal(vmcb->control.pause_filter_count, 0);
	assert_int_equal(vmcb->control.pause_filter_threshold, 0);
	forget();
}

/* A guest that waits with interrupts off for a vCPU that has no CPU must leave. */
static void test_many_pauses_are_an_exit(void **state)
{
	const struct vmcb *vmcb =
		vmcb_on((struct svm_features){ .pause_filter = VMCB_PAUSE_COUNTED });

	(void)state;
	assert_true(vmcb_intercepts(vmcb, SVM_EXIT_PAUSE));
	assert_in_range(vmcb->control.pause_filter_count, 1000, UINT16_MAX);
	assert_int_equal(vmcb->control.pause_filter_threshold, 0);
	forget();
}

static void test_pauses_far_apart_are_no_loop(void **state)
{
	const struct vmcb *vmcb =
		vmcb_on((struct svm_features){ .pause_filter = VMCB_PAUSE_CLUSTERS });

	(void)state;
	assert_true(vmcb_intercepts(vmcb, SVM_EXIT_PAUSE));
	assert_in_range(vmcb->control.pause_filter_count, 1000, UINT16_MAX);
	assert_in_range(vmcb->control.pause_filter_threshold, 1, 1000);
	forget();
}

/* Decoded as what it is, and its length known where the processor says it. */
static void test_pause_exit(void **state)
{
	struct vmcb *vmcb;
	struct hv_exit exit = { 0 };

	(void)state;
	vmcb_on((struct svm_features){ .pause_filter = VMCB_PAUSE_COUNTED, .nrip_save = true });
	vmcb = svm_vcpu(&fresh)->vmcb;
	fresh.rip = 0x1000;
	vmcb->control.exitcode = SVM_EXIT_PAUSE;
	vmcb->control.nrip = 0x1002;
	svm_decode(&fresh, &exit);
	assert_int_equal(exit.reason, HV_EXIT_PAUSE);
	assert_int_equal(exit.length, 2);
	forget();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_pause_is_free_without_a_filter, fixture_setup,
						fixture_teardown),
		cmocka_unit_test_setup_teardown(test_many_pauses_are_an_exit, fixture_setup,
						fixture_teardown),
		cmocka_unit_test_setup_teardown(test_pauses_far_apart_are_no_loop, fixture_setup,
						fixture_teardown),
		cmocka_unit_test_setup_teardown(test_pause_exit, fixture_setup, fixture_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
