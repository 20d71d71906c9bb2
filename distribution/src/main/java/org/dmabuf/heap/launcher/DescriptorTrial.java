// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.launcher;

import java.io.Closeable;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * Trial whether the process may have the descriptors that the gateway needs. With too few of them, bundles are missing
 * in part, and Java reports damaged jars.
 */
final class DescriptorTrial {
    /** Descriptors of the bundles and of a few buffers, besides those that Java has already opened. */
    static final int DESCRIPTORS = 48;

    /** Way to open a descriptor. */
    interface Opener {
        Closeable open() throws IOException;
    }

    private DescriptorTrial() {}

    /** Opens and closes these descriptors. */
    static void run() throws Failure {
        run(DescriptorTrial::file);
    }

    static void run(Opener opener) throws Failure {
        List<Closeable> opened = new ArrayList<>();
        try {
            while (opened.size() < DESCRIPTORS) {
                opened.add(opener.open());
            }
        } catch (IOException e) {
            throw Failure.of(
                    "opening " + DESCRIPTORS + " files failed: the kernel permits only " + opened.size()
                            + " more; raise the limit of descriptors (LimitNOFILE= in the unit, ulimit -n)",
                    e);
        } finally {
            opened.forEach(DescriptorTrial::close);
        }
    }

    /** A file that each Java has. */
    private static InputStream file() throws IOException {
        return Files.newInputStream(Path.of(System.getProperty("java.home"), "release"));
    }

    private static void close(Closeable file) {
        try {
            file.close();
        } catch (IOException e) {
            // It was open for reading only.
        }
    }
}
