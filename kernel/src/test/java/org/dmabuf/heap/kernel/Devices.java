// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.kernel;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.extension.BeforeAllCallback;
import org.junit.jupiter.api.extension.ExtensionContext;

/**
 * JUnit extension that fails each class of this module on a machine without the devices under test. JUnit finds it
 * automatically, so no class can forget it. The variable DEVICES lists the devices that the guest must have.
 */
public final class Devices implements BeforeAllCallback {
    static final Path SYSTEM_HEAP = Path.of("/dev/dma_heap/system");
    static final Path UDMABUF = Path.of("/dev/udmabuf");

    @Override
    public void beforeAll(ExtensionContext context) {
        String required = System.getenv("DEVICES");
        Stream<Path> devices = required == null
                ? Stream.of(SYSTEM_HEAP, UDMABUF)
                : Stream.of(required.split(" ")).map(Path::of);
        List<Path> missing = devices.filter(device -> !Files.exists(device)).toList();
        if (!missing.isEmpty()) {
            throw new AssertionError("this machine has no " + missing + "; the test is for the guest that kernel/run"
                    + " boots: kernel/run -c " + context.getRequiredTestClass().getName());
        }
    }
}
