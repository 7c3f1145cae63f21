/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "vmm/limits.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * Control groups are directories. Version 1 has one tree for each controller (or for a
 * few together), version 2 one tree for all; a host may have both, and then each
 * controller lives in one of them (Linux, Documentation/admin-guide/cgroup-v1 and
 * cgroup-v2.rst). Where the process is, is told by /proc/self/cgroup; where the trees
 * are, by /proc/self/mountinfo.
 *
 * A process that is killed cannot clean up: the next one that sets limits removes the
 * empty groups of processes that are no more.
 */

#define MOUNT_WORDS_MAX 32
#define CPU_PERIOD_US	100000
#define GROUP_PREFIX	"hutch-"
#define GROUPS_MAX	2

/* A group that this process made, and the one it came from. */
struct group {
	char parent[PATH_MAX / 2];
	char path[PATH_MAX];
};

static struct group groups[GROUPS_MAX];
static unsigned int group_count;

struct controller {
	const char *name;	  /* as the kernel has it */
	const char *option;	  /* for messages */
	char tree[PATH_MAX / 4];  /* where its tree is mounted */
	char group[PATH_MAX / 2]; /* the group that we are in */
	bool version_2;
};

static int write_file(const char *directory, const char *name, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static int write_file(const char *directory, const char *name, const char *format, ...)
{
	char path[PATH_MAX], text[64];
	va_list arguments;
	int length, fd, error = 0;

	va_start(arguments, format);
	length = vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	if (snprintf(path, sizeof(path), "%s/%s", directory, name) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (write(fd, text, (size_t)length) != length)
		error = -errno;
	close(fd);
	return error;
}

/* ---- where we are ------------------------------------------------------------- */

/* Whether @list, words separated by commas or blanks, has @word. */
static bool has_word(const char *list, const char *word)
{
	size_t length = strlen(word);

	while (*list) {
		size_t span = strcspn(list, ", \n");

		if (span == length && !strncmp(list, word, length))
			return true;
		list += span + (list[span] != 0);
	}
	return false;
}

/* Our group's path in the tree of @controller ("" for version 2), from /proc/self/cgroup. */
static bool find_group(const char *controller, char *path, size_t size)
{
	FILE *file = fopen("/proc/self/cgroup", "re");
	char line[PATH_MAX];
	bool found = false;

	while (file && !found && fgets(line, sizeof(line), file)) {
		char *list = strchr(line, ':');
		char *group = list ? strchr(list + 1, ':') : NULL;

		if (!group)
			continue;
		*group++ = 0;
		group[strcspn(group, "\n")] = 0;
		found = *controller ? has_word(list + 1, controller) : !list[1];
		if (found)
			found = snprintf(path, size, "%s", group) < (int)size;
	}
	if (file)
		fclose(file);
	return found;
}

/* A line's words, which end where they stand; returns how many there are. */
static unsigned int split(char *line, char **words, unsigned int most)
{
	unsigned int count = 0;
	char *rest;

	for (char *word = strtok_r(line, " \n", &rest); word && count < most;
	     word = strtok_r(NULL, " \n", &rest))
		words[count++] = word;
	return count;
}

/*
 * A line of mountinfo (proc(5)): words 3 and 4 are the root and the mount point; after
 * the word "-", which follows an unknown number of others, come type, source and options.
 */
static bool is_tree(char *line, const char *controller, char **root, char **tree)
{
	char *words[MOUNT_WORDS_MAX];
	unsigned int count = split(line, words, MOUNT_WORDS_MAX), dash = 5;

	while (dash < count && strcmp(words[dash], "-") != 0)
		dash++;
	if (dash + 3 >= count)
		return false;
	*root = words[3];
	*tree = words[4];
	if (!*controller)
		return !strcmp(words[dash + 1], "cgroup2");
	return !strcmp(words[dash + 1], "cgroup") && has_word(words[dash + 3], controller);
}

/* The mount of that tree, and which group is its root, from /proc/self/mountinfo. */
static bool find_tree(const char *controller, char *root, char *tree, size_t size)
{
	FILE *file = fopen("/proc/self/mountinfo", "re");
	char line[PATH_MAX], *root_word, *tree_word;
	bool found = false;

	while (file && !found && fgets(line, sizeof(line), file))
		found = is_tree(line, controller, &root_word, &tree_word) &&
			snprintf(root, size, "%s", root_word) < (int)size &&
			snprintf(tree, size, "%s", tree_word) < (int)size;
	if (file)
		fclose(file);
	return found;
}

static bool locate_in(struct controller *controller, const char *name)
{
	char group[PATH_MAX / 4], root[PATH_MAX / 4];
	const char *below = group;

	if (!find_group(name, group, sizeof(group)) ||
	    !find_tree(name, root, controller->tree, sizeof(root)))
		return false;
	/* In a container, a group is mounted as if it were the root. */
	if (strcmp(root, "/") && !strncmp(group, root, strlen(root)))
		below = group + strlen(root);
	return snprintf(controller->group, sizeof(controller->group), "%s%s", controller->tree,
			strcmp(below, "/") ? below : "") < (int)sizeof(controller->group) &&
	       !access(controller->group, F_OK);
}

static bool locate(struct controller *controller)
{
	if (locate_in(controller, controller->name))
		return true;
	controller->version_2 = true;
	return locate_in(controller, "");
}

/* ---- making a group ------------------------------------------------------------ */

static void remove_dead_groups(const char *parent)
{
	DIR *directory = opendir(parent);
	struct dirent *entry;

	while (directory && (entry = readdir(directory))) {
		char *end;
		long pid;

		if (strncmp(entry->d_name, GROUP_PREFIX, strlen(GROUP_PREFIX)))
			continue;
		pid = strtol(entry->d_name + strlen(GROUP_PREFIX), &end, 10);
		if (!*end && pid > 0 && kill((pid_t)pid, 0) && errno == ESRCH)
			unlinkat(dirfd(directory), entry->d_name, AT_REMOVEDIR);
	}
	if (directory)
		closedir(directory);
}

/* Two controllers may share a tree, and then a group. */
static struct group *existing_group(const char *parent)
{
	for (unsigned int i = 0; i < group_count; i++)
		if (!strcmp(groups[i].parent, parent))
			return &groups[i];
	return NULL;
}

static struct group *make_group(const struct controller *controller)
{
	struct group *group = existing_group(controller->group);

	if (group)
		return group;
	remove_dead_groups(controller->group);
	group = &groups[group_count];
	snprintf(group->parent, sizeof(group->parent), "%s", controller->group);
	snprintf(group->path, sizeof(group->path), "%s/" GROUP_PREFIX "%d", controller->group,
		 (int)getpid());
	if (mkdir(group->path, 0755))
		return NULL;
	group_count++;
	return group;
}

/*
 * Version 2 hands a controller down to children of a group only where that group has no
 * processes of its own, or is the root.
 */
static int hand_down(const struct controller *controller)
{
	if (!controller->version_2)
		return 0;
	return write_file(controller->group, "cgroup.subtree_control", "+%s", controller->name);
}

static const char *advice(const struct controller *controller, int error)
{
	switch (error) {
	case -EACCES:
	case -EPERM:
	case -EROFS:
		return "; start it as root, or in a group of your own: systemd-run --user --scope "
		       "-p Delegate=yes hutch ...";
	case -EBUSY:
		return "; this group has processes of its own and cannot hand the controller down: "
		       "use systemd-run --user --scope -p CPUQuota=...% -p MemoryMax=... hutch ...";
	case -ENOENT:
		return controller->version_2 ? "; the controller is not enabled in this group" : "";
	default:
		return "";
	}
}

static int limit_error(const struct controller *controller, const char *what, int result,
		       char *error, size_t size)
{
	snprintf(error, size, "%s: %s: %s: %s%s", controller->option, controller->group, what,
		 strerror(-result), advice(controller, result));
	return result;
}

/* Finds the controller's tree and makes a group in it. NULL with @error set. */
static struct group *group_for(struct controller *controller, char *error, size_t size)
{
	struct group *group;
	int result;

	if (!locate(controller)) {
		snprintf(error, size, "%s: no control group with the controller \"%s\" is mounted",
			 controller->option, controller->name);
		return NULL;
	}
	result = hand_down(controller);
	if (result) {
		limit_error(controller, "cgroup.subtree_control", result, error, size);
		return NULL;
	}
	group = make_group(controller);
	if (!group)
		limit_error(controller, "making a group in it", -errno, error, size);
	return group;
}

static int limit_cpu(unsigned int percent, char *error, size_t size)
{
	struct controller cpu = { .name = "cpu", .option = "--cpu-limit" };
	struct group *group = group_for(&cpu, error, size);
	unsigned int quota = percent * (CPU_PERIOD_US / 100);
	int result;

	if (!group)
		return -EPERM;
	if (cpu.version_2) {
		result = write_file(group->path, "cpu.max", "%u %u", quota, CPU_PERIOD_US);
	} else {
		result = write_file(group->path, "cpu.cfs_period_us", "%u", CPU_PERIOD_US);
		if (!result)
			result = write_file(group->path, "cpu.cfs_quota_us", "%u", quota);
	}
	return result ? limit_error(&cpu, "its quota", result, error, size) : 0;
}

static int limit_memory(uint64_t bytes, char *error, size_t size)
{
	struct controller memory = { .name = "memory", .option = "--mem-limit" };
	struct group *group = group_for(&memory, error, size);
	int result;

	if (!group)
		return -EPERM;
	result = write_file(group->path, memory.version_2 ? "memory.max" : "memory.limit_in_bytes",
			    "%" PRIu64, bytes);
	return result ? limit_error(&memory, "its limit", result, error, size) : 0;
}

static int enter_groups(char *error, size_t size)
{
	for (unsigned int i = 0; i < group_count; i++) {
		int result = write_file(groups[i].path, "cgroup.procs", "%d", (int)getpid());

		if (result) {
			snprintf(error, size, "%s: moving into it: %s", groups[i].path,
				 strerror(-result));
			return result;
		}
	}
	return 0;
}

int limits_apply(const struct limits *limits, char *error, size_t size)
{
	int result = 0;

	if (limits->cpu_percent)
		result = limit_cpu(limits->cpu_percent, error, size);
	if (!result && limits->memory_bytes)
		result = limit_memory(limits->memory_bytes, error, size);
	if (!result)
		result = enter_groups(error, size);
	if (result)
		limits_remove();
	return result;
}

void limits_remove(void)
{
	while (group_count) {
		struct group *group = &groups[--group_count];

		write_file(group->parent, "cgroup.procs", "%d", (int)getpid());
		rmdir(group->path);
	}
}

void limits_allow_files(unsigned int count)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) || files.rlim_cur >= count)
		return;
	files.rlim_cur = files.rlim_max < count ? files.rlim_max : count;
	setrlimit(RLIMIT_NOFILE, &files);
}
