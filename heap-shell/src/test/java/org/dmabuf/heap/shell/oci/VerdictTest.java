// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell.oci;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.abort;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Test of the verdict on every ioctl: by an interpreter of the rules, and by the filter that libseccomp makes of them.
 * The commands are all 65 536 low words, with the high words of usual ioctls and with some that no ioctl has.
 */
class VerdictTest {
    private static final Listener LISTENER = new Listener("/run/l", Optional.empty(), List.of());
    private static final Set<Integer> SERVED = Set.of(0x4800, 0x4900, 0x4908, 0x5300, 0x6200, 0x6201, 0x6202, 0x6203);

    /** Above bit 31 are bits that the kernel ignores, so that a program can set them. */
    private static final long[] HIGH = {
        0, 0xC018_0000L, 0x4008_0000L, 0xC020_0000L, 0x8004_0000L, 0xFFFF_0000L, 0xFFFF_FFFF_C018_0000L
    };

    private static final Map<String, Integer> ACTIONS = Map.of(
            "SCMP_ACT_ALLOW", 0x7fff0000,
            "SCMP_ACT_LOG", 0x7ffc0000,
            "SCMP_ACT_NOTIFY", 0x7fc00000,
            "SCMP_ACT_ERRNO", 0x00050000,
            "SCMP_ACT_KILL_PROCESS", 0x80000000);

    /** An architecture of the kernel's audit, with its number of ioctl. */
    private record Abi(String name, int architecture, int ioctl) {}

    private static final List<Abi> ABIS = List.of(
            new Abi("SCMP_ARCH_X86_64", 0xC000003E, 16),
            new Abi("SCMP_ARCH_X86", 0x40000003, 54),
            new Abi("SCMP_ARCH_X32", 0xC000003E, 0x40000000 + 514),
            new Abi("SCMP_ARCH_AARCH64", 0xC00000B7, 29),
            new Abi("SCMP_ARCH_ARM", 0x40000028, 54));

    /** A profile as it is and as the command changes it. */
    record Case(String name, String before, Set<String> capabilities) {
        RuntimeRules rulesBefore() {
            return new RuntimeRules(before, capabilities);
        }

        RuntimeRules rulesAfter() {
            String after = OciProfile.parse(name, before).withListener(LISTENER).toString();
            return new RuntimeRules(after, capabilities);
        }

        @Override
        public String toString() {
            return name + (capabilities.isEmpty() ? "" : " " + capabilities);
        }
    }

    static Stream<Case> cases() throws IOException {
        return Stream.of(
                new Case("minimal", resource("minimal.json"), Set.of()),
                new Case("docker-like", resource("docker-like.json"), Set.of()),
                new Case("docker-like", resource("docker-like.json"), Set.of("CAP_SYS_ADMIN")),
                new Case("refusal of others", profile("SCMP_ACT_ALLOW", """
                    {"names": ["ioctl"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1,
                     "args": [{"index": 1, "value": 21522, "op": "SCMP_CMP_EQ"}]}\
                    """), Set.of()),
                new Case("permission of ranges", profile("SCMP_ACT_ERRNO", """
                    {"names": ["ioctl"], "action": "SCMP_ACT_ALLOW",
                     "args": [{"index": 1, "value": 65280, "valueTwo": 21504, "op": "SCMP_CMP_MASKED_EQ"}]},
                    {"names": ["ioctl"], "action": "SCMP_ACT_ALLOW",
                     "args": [{"index": 1, "value": 65280, "valueTwo": 18432, "op": "SCMP_CMP_MASKED_EQ"}]},
                    {"names": ["ioctl"], "action": "SCMP_ACT_ALLOW",
                     "args": [{"index": 1, "value": 3222292736, "op": "SCMP_CMP_EQ"}]},
                    {"names": ["ioctl"], "action": "SCMP_ACT_KILL_PROCESS",
                     "args": [{"index": 1, "value": 3222292737, "op": "SCMP_CMP_EQ"}]}\
                    """), Set.of()),
                new Case("permission for one descriptor", profile("SCMP_ACT_ERRNO", """
                    {"names": ["read", "ioctl"], "action": "SCMP_ACT_ALLOW",
                     "args": [{"index": 0, "value": 3, "op": "SCMP_CMP_GE"}]}\
                    """), Set.of()),
                new Case("logged", profile("SCMP_ACT_LOG", """
                    {"names": ["ioctl"], "action": "SCMP_ACT_ALLOW", "comment": "without a record"},
                    {"names": ["ioctl"], "action": "SCMP_ACT_ALLOW"}\
                    """), Set.of()),
                new Case("one command not logged", profile("SCMP_ACT_LOG", """
                    {"names": ["ioctl"], "action": "SCMP_ACT_ALLOW",
                     "args": [{"index": 1, "value": 3222816768, "op": "SCMP_CMP_EQ"}]}\
                    """), Set.of()));
    }

    private static String profile(String defaultAction, String rules) {
        return "{\"defaultAction\": \"" + defaultAction + "\", \"architectures\": [\"SCMP_ARCH_X86_64\","
                + " \"SCMP_ARCH_X86\"], \"syscalls\": [" + rules + "]}";
    }

    @ParameterizedTest
    @MethodSource("cases")
    void the_ioctls_of_heaps_that_were_permitted_are_notified_and_every_other_verdict_stays(Case profile) {
        RuntimeRules before = profile.rulesBefore();
        RuntimeRules after = profile.rulesAfter();
        int notified = 0;
        for (long descriptor : new long[] {0, 3}) {
            for (long high : HIGH) {
                for (int low = 0; low <= 0xffff; low++) {
                    long command = high | low;
                    String expected = expected(before, descriptor, command);
                    assertEquals(expected, after.verdict(descriptor, command), () -> "0x" + Long.toHexString(command));
                    notified += expected.equals("SCMP_ACT_NOTIFY") ? 1 : 0;
                }
            }
        }
        assertNotEquals(0, notified);
    }

    @ParameterizedTest
    @MethodSource("cases")
    void the_filter_of_libseccomp_gives_the_same_verdicts(Case profile, @TempDir Path folder) throws Exception {
        RuntimeRules before = profile.rulesBefore();
        RuntimeRules after = profile.rulesAfter();
        FilterProgram filter = filter(after, folder);
        List<Abi> abis = ABIS.stream()
                .filter(abi -> after.specification().contains(abi.name() + "\""))
                .toList();
        for (long descriptor : new long[] {0, 3}) {
            for (long high : HIGH) {
                for (int low = 0; low <= 0xffff; low++) {
                    long command = high | low;
                    int expected = ACTIONS.get(expected(before, descriptor, command));
                    for (Abi abi : abis) {
                        int actual = filter.run(abi.architecture(), abi.ioctl(), descriptor, command);
                        assertEquals(expected, actual & 0xffff0000, () -> abi + " 0x" + Long.toHexString(command));
                    }
                }
            }
        }
        assertTrue(abis.size() >= 2, abis.toString());
    }

    /** The reason why a rule that permits ioctl is replaced. */
    @Test
    void libseccomp_drops_a_notice_beside_a_rule_without_conditions(@TempDir Path folder) throws Exception {
        RuntimeRules both = new RuntimeRules(profile("SCMP_ACT_ERRNO", """
            {"names": ["ioctl"], "action": "SCMP_ACT_NOTIFY",
             "args": [{"index": 1, "value": 65535, "valueTwo": 18432, "op": "SCMP_CMP_MASKED_EQ"}]},
            {"names": ["ioctl"], "action": "SCMP_ACT_ALLOW"}\
            """), Set.of());
        assertEquals("SCMP_ACT_ALLOW", both.verdict(3, 0xC018_4800L));
        assertEquals(ACTIONS.get("SCMP_ACT_ALLOW"), filter(both, folder).run(0xC000003E, 16, 3, 0xC018_4800L));
    }

    private static String expected(RuntimeRules before, long... arguments) {
        String verdict = before.verdict(arguments);
        boolean permitted = verdict.equals("SCMP_ACT_ALLOW") || verdict.equals("SCMP_ACT_LOG");
        return permitted && SERVED.contains((int) arguments[1] & 0xffff) ? "SCMP_ACT_NOTIFY" : verdict;
    }

    private static FilterProgram filter(RuntimeRules rules, Path folder) throws Exception {
        Path script = Files.writeString(folder.resolve("export.py"), resource("export_bpf.py"));
        Path profile = Files.writeString(folder.resolve("profile.json"), rules.specification());
        Path filter = folder.resolve("filter");
        Path errors = folder.resolve("errors");
        Process python = new ProcessBuilder("python3", script.toString(), profile.toString(), filter.toString())
                .redirectError(errors.toFile())
                .start();
        int status = python.waitFor();
        if (status == 77) {
            assertNotEquals("true", System.getenv("CI"), Files.readString(errors));
            abort("skipped: " + Files.readString(errors));
        }
        assertEquals(0, status, Files.readString(errors));
        return new FilterProgram(Files.readAllBytes(filter));
    }

    private static String resource(String name) throws IOException {
        try (InputStream resource = VerdictTest.class.getResourceAsStream(name)) {
            return new String(resource.readAllBytes(), StandardCharsets.UTF_8);
        }
    }
}
