// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.agent;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.fail;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** Program of src/test/c, compiled once for all tests of a class. */
final class CProgram {
    private CProgram() {}

    /** {@return the compiled program; without a compiler the tests are skipped, but fail with CI=true} */
    static Path compile(String name, Path folder) throws IOException, InterruptedException {
        Path program = folder.resolve(name);
        Process compiler;
        try {
            String source = "src/test/c/" + name + ".c";
            compiler = new ProcessBuilder("cc", "-Wall", "-Werror", "-O1", "-pthread", "-o", program.toString(), source)
                    .inheritIO()
                    .start();
        } catch (IOException e) {
            if ("true".equals(System.getenv("CI"))) {
                fail("no C compiler; install gcc and libc6-dev", e);
            }
            System.out.println("skipped: no C compiler for the clients of the agent");
            assumeTrue(false, "no C compiler");
            throw e;
        }
        assertEquals(0, compiler.waitFor(), "the compiler");
        Files.setAttribute(program, "unix:mode", 0755);
        return program;
    }
}
