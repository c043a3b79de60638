/* A TCG plugin for qemu-user: tells the program that it runs how many instructions it has executed.
 *
 * The program makes the system call MARK, which no Linux has, with a file descriptor; the count so far is written there
 * as eight bytes, in the host's order. The call itself then fails with ENOSYS as it would anywhere.
 *
 * A block of the translator counts whole when it is entered. The count is not atomic: a program with one thread gets
 * exact ones, whatever else the host does.
 *
 * Debian ships no header for plugins, so the few functions of the interface that are used are declared here. Their form
 * is that of version 1 (QEMU 4.2 to 8.x), and QEMU refuses a plugin whose version it does not speak. */
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

struct qemu_plugin_tb;
struct qemu_plugin_info;
typedef uint64_t plugin_id;
typedef void (*on_syscall)(plugin_id, unsigned cpu, int64_t number, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t,
                           uint64_t, uint64_t, uint64_t);
enum { ADD_U64 = 0, MARK = 3798 };

size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id id, void (*call)(plugin_id, struct qemu_plugin_tb *));
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *tb, int op, void *counter, uint64_t amount);
void qemu_plugin_register_vcpu_syscall_cb(plugin_id id, on_syscall call);

EXPORT int qemu_plugin_version = 1;

static uint64_t executed;

static void translated(plugin_id id, struct qemu_plugin_tb *tb) {
  (void)id;
  qemu_plugin_register_vcpu_tb_exec_inline(tb, ADD_U64, &executed, qemu_plugin_tb_n_insns(tb));
}

static void called(plugin_id id, unsigned cpu, int64_t number, uint64_t first, uint64_t a2, uint64_t a3, uint64_t a4,
                   uint64_t a5, uint64_t a6, uint64_t a7, uint64_t a8) {
  const uint64_t now = executed;
  (void)id, (void)cpu, (void)a2, (void)a3, (void)a4, (void)a5, (void)a6, (void)a7, (void)a8;
  if (number == MARK && write((int)first, &now, sizeof now) != sizeof now) {
    _exit(1); /* a reader that is told less than it asked for would compute nonsense */
  }
}

EXPORT int qemu_plugin_install(plugin_id id, const struct qemu_plugin_info *info, int argc, char **argv) {
  (void)info, (void)argc, (void)argv;
  qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
  qemu_plugin_register_vcpu_syscall_cb(id, called);
  return 0;
}
