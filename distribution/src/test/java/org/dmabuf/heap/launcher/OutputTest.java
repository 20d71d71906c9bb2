// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.launcher;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import org.junit.jupiter.api.Test;

class OutputTest {
    @Test
    void successful_write_is_not_a_failure() throws Failure {
        ByteArrayOutputStream to = new ByteArrayOutputStream();
        Output output = new Output(to);
        print(output);
        output.requireWhole();
        assertEquals("a result\n", to.toString());
    }

    @Test
    void full_disk_is_a_failure_with_its_reason() {
        Output output = new Output(failing("No space left on device"));
        print(output);
        Failure failure = assertThrows(Failure.class, output::requireWhole);
        assertEquals("writing the result to standard output failed: No space left on device", failure.getMessage());
    }

    @Test
    void reader_that_closes_early_is_not_a_failure() throws Failure {
        Output output = new Output(failing("Broken pipe"));
        print(output);
        output.requireWhole();
    }

    private static void print(Output output) {
        PrintStream stream = new PrintStream(output);
        stream.print("a result\n");
        stream.flush();
    }

    private static OutputStream failing(String reason) {
        return new OutputStream() {
            @Override
            public void write(int octet) throws IOException {
                throw new IOException(reason);
            }
        };
    }
}
