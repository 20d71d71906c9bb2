// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import java.io.IOException;
import java.lang.reflect.Proxy;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.function.UnaryOperator;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.CpuAccess;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapBroker;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.testing.InMemoryBroker;
import org.dmabuf.heap.testing.InMemoryHeap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class FileLoaderTest {
    @TempDir
    Path folder;

    @Test
    void size_of_a_file_is_its_bytes() throws IOException {
        assertEquals(5, FileLoader.sizeOf(Files.writeString(folder.resolve("frame"), "hello")));
    }

    @Test
    void a_file_that_cannot_be_loaded_is_refused_with_a_sentence() throws IOException {
        Path empty = Files.createFile(folder.resolve("empty"));
        assertRefused("file " + folder.resolve("gone") + " does not exist", folder.resolve("gone"));
        assertRefused(folder + " is not a regular file", folder);
        String none = " has 0 bytes; a buffer needs at least 1 byte; copy a file of /proc elsewhere first";
        assertRefused(empty + none, empty);
        assertRefused("/proc/meminfo" + none, Path.of("/proc/meminfo"));
    }

    @Test
    void a_file_in_a_closed_folder_is_not_reported_as_missing() throws IOException {
        Path shut = Files.createDirectory(folder.resolve("shut"));
        Path file = Files.writeString(shut.resolve("frame"), "hello");
        Files.setPosixFilePermissions(shut, PosixFilePermissions.fromString("---------"));
        try {
            assumeFalse(Files.exists(file), "skipped: root may enter any folder");
            assertRefused("this user is not permitted to search the folder of " + file, file);
        } finally {
            Files.setPosixFilePermissions(shut, PosixFilePermissions.fromString("rwx------"));
        }
    }

    @Test
    void a_buffer_is_given_back_when_the_end_of_the_access_fails() throws IOException {
        Path file = Files.writeString(folder.resolve("frame"), "hello");
        try (InMemoryBroker broker = InMemoryBroker.of(InMemoryHeap.of("system", 8L << 20))) {
            HeapException failure = HeapException.of(Errno.EIO, "the end of the access failed");
            CpuAccess access = () -> {
                throw failure;
            };
            FileLoader loader = new FileLoader(returning(
                    HeapBroker.class,
                    broker,
                    "allocate",
                    made -> returning(DmaBuf.class, made, "beginCpuAccess", begun -> {
                        ((CpuAccess) begun).close();
                        return access;
                    })));
            assertSame(
                    failure,
                    assertThrows(HeapException.class, () -> loader.load(file, AllocationRequest.of(5), _ -> {})));
            broker.requireNothingOpen();
        }
    }

    /** {@return a proxy whose one method returns a replacement of its result} */
    private static <T> T returning(Class<T> type, Object same, String name, UnaryOperator<Object> becomes) {
        return type.cast(
                Proxy.newProxyInstance(type.getClassLoader(), new Class<?>[] {type}, (_, method, arguments) -> {
                    Object result = method.invoke(same, arguments);
                    return method.getName().equals(name) ? becomes.apply(result) : result;
                }));
    }

    private static void assertRefused(String sentence, Path file) {
        assertEquals(
                sentence,
                assertThrows(IOException.class, () -> FileLoader.sizeOf(file)).getMessage());
    }
}
