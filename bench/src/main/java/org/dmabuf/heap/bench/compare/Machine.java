// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.bench.compare;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.linux.source.MemfdSource;
import org.dmabuf.heap.linux.text.Bytes;
import org.dmabuf.heap.spi.HeapBuffer;
import org.dmabuf.heap.spi.HeapRequest;

/** Facts about the machine that times depend on. */
final class Machine {
    private static final Path THP = Path.of("/sys/kernel/mm/transparent_hugepage");

    /** Number of mappings to measure. The code is compiled after the first few. */
    private static final int MAPPINGS = 200;

    private Machine() {}

    /** {@return values by name, in the order of a report} */
    static Map<String, String> facts() {
        Map<String, String> facts = new LinkedHashMap<>();
        facts.put("cpu", cpu());
        facts.put("cores", "" + Runtime.getRuntime().availableProcessors());
        facts.put("kernel", System.getProperty("os.version"));
        for (String setting : new String[] {"enabled", "shmem_enabled", "defrag"}) {
            facts.put("thp " + setting, chosen(THP.resolve(setting)));
        }
        facts.put("jdk", System.getProperty("java.vm.name") + " " + Runtime.version());
        facts.put("first access to a small page", Time.text(firstAccess()));
        facts.put(
                "load average at the start",
                String.format(
                        Locale.ROOT,
                        "%.1f",
                        ManagementFactory.getOperatingSystemMXBean().getSystemLoadAverage()));
        return facts;
    }

    /**
     * {@return nanoseconds for the first access to a page of 4 KiB through a new mapping, without a page fault of this
     * kernel} A hypervisor that keeps page tables of its own takes some microseconds.
     */
    private static double firstAccess() {
        MemfdSource source = MemfdSource.open("machine");
        double[] nanos = new double[MAPPINGS];
        for (int i = 0; i < MAPPINGS; i++) {
            HeapBuffer buffer = source.allocate(HeapRequest.of(Sizes.MIB)); // below the size of a large folio
            MemorySegment populated = buffer.map(Access.READ_WRITE);
            long start = System.nanoTime();
            for (long at = 0; at < Sizes.MIB; at += Bytes.PAGE) {
                populated.set(ValueLayout.JAVA_BYTE, at, (byte) 1);
            }
            nanos[i] = (double) (System.nanoTime() - start) * Bytes.PAGE / Sizes.MIB;
            buffer.unmap(populated);
            buffer.release();
        }
        return Quantiles.of(nanos).median();
    }

    private static String cpu() {
        return read(Path.of("/proc/cpuinfo"))
                .lines()
                .filter(line -> line.startsWith("model name"))
                .map(line -> line.substring(line.indexOf(':') + 1).strip())
                .findFirst()
                .orElse(System.getProperty("os.arch"));
    }

    private static String chosen(Path setting) {
        return read(setting).replaceFirst("(?s).*\\[(.*)].*", "$1").strip();
    }

    private static String read(Path file) {
        try {
            return Files.readString(file);
        } catch (IOException e) {
            return "unknown";
        }
    }
}
