// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.bench.compare;

import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;

/** Facts about the machine that times depend on. */
final class Machine {
    private static final Path THP = Path.of("/sys/kernel/mm/transparent_hugepage");

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
        facts.put(
                "load average at the start",
                String.format(
                        Locale.ROOT,
                        "%.1f",
                        ManagementFactory.getOperatingSystemMXBean().getSystemLoadAverage()));
        return facts;
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
