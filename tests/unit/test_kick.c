/* SPDX-License-Identifier: MIT OR GPL-2.0-only */

/*
 * Fetching a vCPU out of the guest: no kick is lost, whatever moment it comes at.
 * All of it twice, in two processes: as it is by default, with the signal blocked
 * outside of the guest, and with a handler (hutch_use_signal_handler()).
 */

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/unit/guest_fixture.h"

#define ENDLESS 0xeb, 0xfe /* jmp to itself */

static bool with_handler;

static void assert_exit(struct guest *guest, enum hutch_exit_reason reason)
{
	struct hutch_exit exit;

	assert_works(!hutch_vcpu_enter(guest->vcpu, &exit));
	assert_string_equal(hutch_exit_name(exit.reason), hutch_exit_name(reason));
}

struct runner {
	struct guest *guest;
	atomic_uint interrupted;
	atomic_bool stop;
};

static void *run_until_stopped(void *context)
{
	struct runner *runner = context;
	struct hutch_exit exit;

	while (!atomic_load(&runner->stop)) {
		if (hutch_vcpu_enter(runner->guest->vcpu, &exit) ||
		    exit.reason != HUTCH_EXIT_INTERRUPTED)
			return runner;
		atomic_fetch_add(&runner->interrupted, 1);
	}
	return NULL;
}

/* Waits for the count to reach @least; false after five seconds. */
static bool reaches(atomic_uint *count, unsigned int least)
{
	const struct timespec moment = { .tv_nsec = 100000 };

	for (unsigned int i = 0; i < 50000; i++) {
		if (atomic_load(count) >= least)
			return true;
		nanosleep(&moment, NULL);
	}
	return false;
}

static void a_kick_comes_through_always(void **state)
{
	GUEST(guest, ENDLESS);
	struct runner runner = { .guest = &guest };
	unsigned int kicks = 0;
	pthread_t thread;
	void *failure;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, run_until_stopped, &runner), 0);
	/* As fast as they are answered: most of them meet the vCPU on its way in or out. */
	for (; kicks < 5000; kicks++) {
		hutch_vcpu_kick(guest.vcpu);
		if (!reaches(&runner.interrupted, kicks + 1))
			fail_msg("kick %u was lost", kicks);
		/* A spurious one counts as well; do not let it stand in for the next. */
		kicks = atomic_load(&runner.interrupted) - 1;
	}
	atomic_store(&runner.stop, true);
	hutch_vcpu_kick(guest.vcpu);
	pthread_join(thread, &failure);
	assert_null(failure);
	guest_unmake(&guest);
}

static void many_kicks_are_one(void **state)
{
	GUEST(guest, 0xe6, 0x10, ENDLESS);

	(void)state;
	for (unsigned int i = 0; i < 100000; i++)
		hutch_vcpu_kick(guest.vcpu);
	assert_exit(&guest, HUTCH_EXIT_INTERRUPTED);
	assert_exit(&guest, HUTCH_EXIT_IO);
	/* Between two entries of the same thread as well. */
	for (unsigned int i = 0; i < 100; i++)
		hutch_vcpu_kick(guest.vcpu);
	assert_exit(&guest, HUTCH_EXIT_INTERRUPTED);
	guest_unmake(&guest);
}

static struct hutch_vcpu *kicked_by_signal;

static void kick_from_handler(int signal)
{
	(void)signal;
	hutch_vcpu_kick(kicked_by_signal);
}

static void a_signal_handler_may_kick(void **state)
{
	GUEST(guest, ENDLESS);
	const struct sigaction action = { .sa_handler = kick_from_handler, .sa_flags = SA_RESTART };
	struct sigaction before;

	(void)state;
	kicked_by_signal = guest.vcpu;
	assert_int_equal(sigaction(SIGALRM, &action, &before), 0);
	for (unsigned int i = 0; i < 20; i++) {
		ualarm(1000, 0);
		/* The signal itself interrupts, and so does the kick: once or twice. */
		assert_exit(&guest, HUTCH_EXIT_INTERRUPTED);
	}
	ualarm(0, 0);
	assert_int_equal(sigaction(SIGALRM, &before, NULL), 0);
	guest_unmake(&guest);
}

static void a_kick_waits_for_the_next_thread(void **state)
{
	GUEST(guest, ENDLESS);
	struct runner runner = { .guest = &guest };
	pthread_t thread;
	void *failure;

	(void)state;
	for (unsigned int i = 0; i < 20; i++) {
		/* Nobody is in the vCPU now; the thread that was is gone. */
		atomic_store(&runner.stop, false);
		hutch_vcpu_kick(guest.vcpu);
		assert_int_equal(pthread_create(&thread, NULL, run_until_stopped, &runner), 0);
		assert_true(reaches(&runner.interrupted, i * 2 + 1));
		atomic_store(&runner.stop, true);
		hutch_vcpu_kick(guest.vcpu);
		pthread_join(thread, &failure);
		assert_null(failure);
		atomic_store(&runner.interrupted, i * 2 + 2);
	}
	guest_unmake(&guest);
}

static void the_kick_signal_does_no_more_than_it_says(void **state)
{
	GUEST(guest, 0xe6, 0x10, ENDLESS);
	sigset_t mask, pending;
	struct sigaction action;

	(void)state;
	assert_exit(&guest, HUTCH_EXIT_IO);
	hutch_vcpu_kick(guest.vcpu);
	assert_exit(&guest, HUTCH_EXIT_INTERRUPTED);
	assert_int_equal(pthread_sigmask(SIG_BLOCK, NULL, &mask), 0);
	assert_int_equal(sigismember(&mask, HUTCH_KICK_SIGNAL), !with_handler);
	assert_int_equal(sigpending(&pending), 0);
	assert_false(sigismember(&pending, HUTCH_KICK_SIGNAL));
	assert_int_equal(sigaction(HUTCH_KICK_SIGNAL, NULL, &action), 0);
	assert_int_equal(action.sa_handler == SIG_DFL, !with_handler);
	guest_unmake(&guest);
}

static void completing_loses_no_kick(void **state)
{
	GUEST(guest, 0xe4, 0x10, ENDLESS);

	(void)state;
	assert_exit(&guest, HUTCH_EXIT_IO);
	hutch_vcpu_kick(guest.vcpu);
	assert_int_equal(hutch_vcpu_complete(guest.vcpu), 0);
	assert_exit(&guest, HUTCH_EXIT_INTERRUPTED);
	guest_unmake(&guest);
}

/* A thread may block every signal there is, as threads that are not for signals do. */
static void *run_with_all_blocked(void *context)
{
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, NULL);
	return run_until_stopped(context);
}

static void a_thread_that_blocks_all_signals_is_kicked_too(void **state)
{
	GUEST(guest, ENDLESS);
	struct runner runner = { .guest = &guest };
	pthread_t thread;
	void *failure;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, run_with_all_blocked, &runner), 0);
	for (unsigned int kicks = 1; kicks <= 20; kicks++) {
		usleep(1000); /* so that it is in the guest */
		hutch_vcpu_kick(guest.vcpu);
		assert_true(reaches(&runner.interrupted, kicks));
	}
	atomic_store(&runner.stop, true);
	hutch_vcpu_kick(guest.vcpu);
	pthread_join(thread, &failure);
	assert_null(failure);
	guest_unmake(&guest);
}

static void one_thread_runs_many_vcpus(void **state)
{
	GUEST(one, ENDLESS);
	GUEST(two, 0xe6, 0x10, ENDLESS);

	(void)state;
	for (unsigned int i = 0; i < 10; i++) {
		/* A kick is for its vCPU and for no other. */
		hutch_vcpu_kick(one.vcpu);
		if (!i)
			assert_exit(&two, HUTCH_EXIT_IO);
		assert_exit(&one, HUTCH_EXIT_INTERRUPTED);
		hutch_vcpu_kick(two.vcpu);
		assert_exit(&two, HUTCH_EXIT_INTERRUPTED);
	}
	guest_unmake(&two);
	guest_unmake(&one);
}

static void a_handler_comes_first_or_not_at_all(void **state)
{
	(void)state;
	/* By now vCPUs have been entered. */
	if (with_handler) {
		assert_int_equal(hutch_use_signal_handler(), 0);
	} else {
		assert_int_equal(hutch_use_signal_handler(), -EBUSY);
		assert_non_null(strstr(hutch_error(), "entered"));
	}
}

static int kick_tests(const char *name)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_kick_comes_through_always),
		cmocka_unit_test(many_kicks_are_one),
		cmocka_unit_test(a_signal_handler_may_kick),
		cmocka_unit_test(a_kick_waits_for_the_next_thread),
		cmocka_unit_test(the_kick_signal_does_no_more_than_it_says),
		cmocka_unit_test(completing_loses_no_kick),
		cmocka_unit_test(a_thread_that_blocks_all_signals_is_kicked_too),
		cmocka_unit_test(one_thread_runs_many_vcpus),
		cmocka_unit_test(a_handler_comes_first_or_not_at_all),
	};

	return cmocka_run_group_tests_name(name, tests, NULL, NULL);
}

static int kick_tests_with_handler(void)
{
	with_handler = true;
	/* Somebody else's handler is left alone. */
	signal(HUTCH_KICK_SIGNAL, SIG_IGN);
	if (hutch_use_signal_handler() != -EBUSY)
		return 1;
	signal(HUTCH_KICK_SIGNAL, SIG_DFL);
	if (hutch_use_signal_handler())
		return 1;
	return kick_tests("with a handler");
}

int main(void)
{
	pid_t child = fork();
	int status;

	if (!child)
		exit(kick_tests_with_handler());
	if (child < 0 || waitpid(child, &status, 0) != child || status)
		return 1;
	return kick_tests("without a handler");
}
