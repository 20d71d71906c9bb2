// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.launcher;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import org.junit.jupiter.api.Test;

class MountTableTest {
    private static MountTable table(String... mounts) {
        return MountTable.parse(String.join("\n", mounts));
    }

    private static String mount(int id, int parent, String point, String options) {
        return id + " " + parent + " 254:0 /a " + point + " " + options + ",relatime shared:1 - ext4 /dev/vda rw";
    }

    private static boolean readOnly(MountTable table, String path) {
        return table.isReadOnly(Path.of(path));
    }

    @Test
    void a_bind_mount_of_the_same_file_system_counts() {
        MountTable table = table(mount(20, 1, "/", "rw"), mount(21, 20, "/opt/gateway/etc", "ro"));
        assertTrue(readOnly(table, "/opt/gateway/etc"));
        assertTrue(readOnly(table, "/opt/gateway/etc/more"));
        assertFalse(readOnly(table, "/opt/gateway/etc2"));
        assertFalse(readOnly(table, "/opt/gateway"));
    }

    @Test
    void a_writable_volume_in_a_read_only_root_is_writable() {
        MountTable table = table(mount(21, 20, "/opt", "rw"), mount(20, 1, "/", "ro"));
        assertFalse(readOnly(table, "/opt/etc"));
        assertTrue(readOnly(table, "/srv"));
    }

    @Test
    void of_mounts_over_each_other_the_last_one_counts() {
        MountTable table = table(mount(20, 1, "/", "rw"), mount(21, 20, "/etc", "ro"), mount(22, 21, "/etc", "rw"));
        assertFalse(readOnly(table, "/etc"));
        MountTable roots = table(mount(20, 1, "/", "rw"), mount(21, 20, "/", "ro"));
        assertTrue(readOnly(roots, "/etc"));
    }

    @Test
    void a_mount_above_hides_a_read_only_one() {
        MountTable table = table(mount(20, 1, "/", "rw"), mount(21, 20, "/opt/etc", "ro"), mount(22, 20, "/opt", "rw"));
        assertFalse(readOnly(table, "/opt/etc"));
    }

    @Test
    void a_path_may_have_spaces_and_backslashes() {
        MountTable table = table(mount(20, 1, "/", "rw"), mount(21, 20, "/a\\040b\\134c", "ro"));
        assertTrue(readOnly(table, "/a b\\c"));
    }

    @Test
    void an_option_that_begins_with_ro_is_not_read_only() {
        assertFalse(readOnly(table(mount(20, 1, "/", "rootcontext=ro_t")), "/etc"));
    }

    @Test
    void without_a_root_all_is_writable() {
        assertFalse(readOnly(table(), "/etc"));
        assertFalse(readOnly(table(mount(21, 20, "/proc", "ro")), "/etc"));
    }

    /** Without a locale, as under systemd, a letter that is not ASCII is one. No path has a NUL in any locale. */
    @Test
    void a_mount_whose_path_has_a_character_that_paths_cannot_have_is_left_out() {
        MountTable table = table(mount(20, 1, "/", "ro"), mount(21, 20, "/media/a\\000", "rw"));
        assertTrue(readOnly(table, "/media/a"));
    }

    @Test
    void the_table_of_this_kernel_is_read() throws Exception {
        assertFalse(MountTable.read().isReadOnly(Path.of("/proc/self")));
    }
}
