// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.kernel;

import java.nio.file.Path;
import org.dmabuf.heap.linux.syscall.Syscalls;

/** Large folios of the running kernel, on a machine whose clock stands still. Slow memory then makes no difference. */
public final class MadeUpFolios {
    private static final Path SETTINGS = Path.of("/sys/kernel/mm/transparent_hugepage");

    private MadeUpFolios() {}

    public static LargeFolios timeless(Syscalls syscalls) {
        return new LargeFolios("camera", syscalls, SETTINGS, SETTINGS, () -> 0);
    }

    /** {@return whether the kernel makes large folios of shareable memory} */
    public static boolean exist() {
        String setting = ProcFile.read(SETTINGS.resolve("shmem_enabled")).orElse("[deny]");
        return ProcFile.read(SETTINGS.resolve("hpage_pmd_size")).isPresent() && !setting.contains("[deny]");
    }
}
