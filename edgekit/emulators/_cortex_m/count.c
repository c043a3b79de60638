/* A TCG plugin that counts what runs between the entry of one function and its return.
 *
 * Arguments: enter=ADDRESS (the function), leave=ADDRESS (where it returns to), out=FILE, and part=ADDRESS as often as
 * wanted: the counts up to the next part belong to the last one entered.
 *
 * Written when QEMU ends, one record a line, numbers in hexadecimal:
 *   total COUNT              instructions between enter and leave, of the first call
 *   part ADDRESS COUNT       in the order of their first entry; address 0: before the first part
 *   block ADDRESS LENGTH ENTRIES
 * All instructions of an entered block count. Functions and return places begin blocks of the translator, always.
 *
 * Debian ships no header for plugins, so the few functions of the interface that are used are declared here. Their form
 * is that of version 1 (QEMU 4.2 to 8.x), and QEMU refuses a plugin whose version it does not speak. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

struct qemu_plugin_tb;
typedef uint64_t plugin_id;
typedef struct {
  const char *target_name;
  struct {
    int min, cur;
  } version;
  _Bool system_emulation;
  struct {
    int smp_vcpus, max_vcpus;
  } system;
} plugin_info;
enum { NO_REGISTERS = 0 };

size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *tb);
void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id id, void (*call)(plugin_id, struct qemu_plugin_tb *));
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *tb, void (*call)(unsigned, void *), int flags, void *data);
void qemu_plugin_register_atexit_cb(plugin_id id, void (*call)(plugin_id, void *), void *data);

EXPORT int qemu_plugin_version = 1;

enum { MOST_PARTS = 4096, BUCKETS = 4096 };

struct part {
  uint64_t address, count;
  unsigned order; /* 0: never entered */
};

struct block {
  uint64_t address, length, entries;
  struct part *part; /* that begins with it */
  struct block *next;
};

static uint64_t enter_at, leave_at, total;
static const char *out;
static struct part parts[MOST_PARTS + 1]; /* the first one: before any other */
static size_t part_count = 1;
static unsigned entered;
static struct block *blocks[BUCKETS];
static struct part *current;
static enum { BEFORE, INSIDE, AFTER } state;

static void executed(unsigned cpu, void *data) {
  struct block *block = data;
  (void)cpu;
  if (state == BEFORE && block->address == enter_at) {
    state = INSIDE;
    current = &parts[0];
  } else if (state == INSIDE && block->address == leave_at) {
    state = AFTER;
  }
  if (state != INSIDE) {
    return;
  }
  if (block->part != NULL) {
    current = block->part;
    if (current->order == 0) {
      current->order = ++entered;
    }
  }
  block->entries += 1;
  total += block->length;
  current->count += block->length;
}

static void translated(plugin_id id, struct qemu_plugin_tb *tb) {
  const uint64_t address = qemu_plugin_tb_vaddr(tb), length = qemu_plugin_tb_n_insns(tb);
  struct block **bucket = &blocks[(address >> 1) % BUCKETS], *block;
  (void)id;
  for (block = *bucket; block != NULL; block = block->next) {
    if (block->address == address && block->length == length) {
      break;
    }
  }
  if (block == NULL) {
    block = calloc(1, sizeof *block);
    if (block == NULL) {
      abort();
    }
    block->address = address;
    block->length = length;
    block->next = *bucket;
    for (size_t i = 1; i < part_count; ++i) {
      if (parts[i].address == address) {
        block->part = &parts[i];
      }
    }
    *bucket = block;
  }
  qemu_plugin_register_vcpu_tb_exec_cb(tb, executed, NO_REGISTERS, block);
}

static void ended(plugin_id id, void *data) {
  FILE *file = fopen(out, "w");
  (void)id, (void)data;
  if (file == NULL) {
    return;
  }
  if (state == AFTER) {
    fprintf(file, "total %llx\n", (unsigned long long)total);
    fprintf(file, "part 0 %llx\n", (unsigned long long)parts[0].count);
    for (unsigned order = 1; order <= entered; ++order) {
      for (size_t i = 1; i < part_count; ++i) {
        if (parts[i].order == order) {
          fprintf(file, "part %llx %llx\n", (unsigned long long)parts[i].address, (unsigned long long)parts[i].count);
        }
      }
    }
    for (size_t i = 0; i < BUCKETS; ++i) {
      for (const struct block *block = blocks[i]; block != NULL; block = block->next) {
        if (block->entries > 0) {
          fprintf(file, "block %llx %llx %llx\n", (unsigned long long)block->address,
                  (unsigned long long)block->length, (unsigned long long)block->entries);
        }
      }
    }
  }
  fclose(file);
}

EXPORT int qemu_plugin_install(plugin_id id, const plugin_info *info, int argc, char **argv) {
  if (strcmp(info->target_name, "arm") != 0) {
    fprintf(stderr, "count: made for arm, not %s\n", info->target_name);
    return 1;
  }
  for (int i = 0; i < argc; ++i) {
    const char *value = strchr(argv[i], '=');
    if (value == NULL) {
      return 1;
    }
    const size_t name = (size_t)(value++ - argv[i]);
    if (strncmp(argv[i], "enter", name) == 0) {
      enter_at = strtoull(value, NULL, 0);
    } else if (strncmp(argv[i], "leave", name) == 0) {
      leave_at = strtoull(value, NULL, 0);
    } else if (strncmp(argv[i], "part", name) == 0 && part_count <= MOST_PARTS) {
      parts[part_count++].address = strtoull(value, NULL, 0);
    } else if (strncmp(argv[i], "out", name) == 0) {
      out = strdup(value);
    } else {
      fprintf(stderr, "count: what is %s\n", argv[i]);
      return 1;
    }
  }
  if (out == NULL || enter_at == 0 || leave_at == 0) {
    fprintf(stderr, "count: enter, leave and out are needed\n");
    return 1;
  }
  qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
  qemu_plugin_register_atexit_cb(id, ended, NULL);
  return 0;
}
