// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.libc;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.BufferedReader;
import java.io.File;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** Tests with a separate JVM each, because a permission is given at its start, for all classes of the class path. */
class NativeAccessTest {
    /** Program of the separate JVM. */
    static final class Links {
        private Links() {}

        public static void main(String[] arguments) {
            System.out.println(Libc.pageSize());
        }
    }

    /** End of the separate JVM: its status and its output. */
    record End(int status, List<String> printed) {}

    @Test
    void where_Java_denies_native_access_the_error_names_the_option() throws Exception {
        End end = run("--illegal-native-access=deny");
        assertNotEquals(0, end.status());
        String message = "linking getpagesize failed: Java denies native access;"
                + " start it with --enable-native-access=ALL-UNNAMED";
        assertTrue(end.printed().stream().anyMatch(line -> line.endsWith(message)), end::toString);
    }

    @Test
    void with_the_option_nothing_is_denied() throws Exception {
        assertEquals(
                new End(0, List.of(Integer.toString(Libc.pageSize()))),
                run("--illegal-native-access=deny", "--enable-native-access=ALL-UNNAMED"));
    }

    private static End run(String... options) throws Exception {
        String classPath = Stream.of(Libc.class, Links.class)
                .map(type ->
                        type.getProtectionDomain().getCodeSource().getLocation().getPath())
                .collect(Collectors.joining(File.pathSeparator));
        List<String> words = new ArrayList<>();
        words.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        words.addAll(List.of(options));
        words.addAll(List.of("-cp", classPath, Links.class.getName()));
        Process process = new ProcessBuilder(words).redirectErrorStream(true).start();
        try (BufferedReader output = process.inputReader()) {
            List<String> printed = output.lines().toList();
            return new End(process.waitFor(), printed);
        }
    }
}
