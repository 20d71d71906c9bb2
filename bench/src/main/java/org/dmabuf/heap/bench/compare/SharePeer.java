// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.bench.compare;

import java.io.EOFException;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.bench.Twin;
import org.dmabuf.heap.linux.fd.Mappings;
import org.dmabuf.heap.linux.socket.FdMessage;
import org.dmabuf.heap.linux.socket.FdSocket;
import org.dmabuf.heap.linux.syscall.Syscalls;

/** Program that receives frames for {@link ShareGroup}, in a process of its own, and reads every byte of them. */
public final class SharePeer {
    static final String COMMANDS = "commands";
    static final String DESCRIPTORS = "descriptors";
    static final String PIPE = "pipe";
    static final Duration PATIENCE = Duration.ofSeconds(60);

    private static final int PROT_NONE = 0;
    private static final int PROT_READ = 1;
    private static final int MAP_SHARED = 0x1;
    private static final int MAP_PRIVATE = 0x2;
    private static final int MAP_FIXED = 0x10;
    private static final int MAP_ANONYMOUS = 0x20;
    private static final int MADV_POPULATE_READ = 22;
    private static final int MAP_SHIFT = 4096;
    private static final long LARGE = 2 << 20;

    private final Syscalls syscalls = Syscalls.linux();
    private final Mappings mappings = new Mappings(syscalls);
    private final MemorySegment kept = Arena.global().allocate(ShareGroup.LARGEST, 4096);
    private final SocketChannel commands;
    private final FdSocket descriptors;
    private final FileChannel pipe;

    private SharePeer(SocketChannel commands, FdSocket descriptors, FileChannel pipe) {
        this.commands = commands;
        this.descriptors = descriptors;
        this.pipe = pipe;
    }

    /**
     * Serves until the other process closes its end.
     *
     * @param args the folder with the sockets and the pipe
     * @throws IOException when they cannot be used
     */
    public static void main(String[] args) throws IOException {
        Path folder = Path.of(args[0]);
        try (SocketChannel commands = SocketChannel.open(UnixDomainSocketAddress.of(folder.resolve(COMMANDS)));
                FdSocket descriptors = FdSocket.connect(folder.resolve(DESCRIPTORS), PATIENCE);
                FileChannel pipe = FileChannel.open(folder.resolve(PIPE), StandardOpenOption.READ)) {
            new SharePeer(commands, descriptors, pipe).serve();
        } catch (EOFException e) {
            // The other process has finished.
        }
    }

    private void serve() throws IOException {
        while (true) {
            PeerCommand command = PeerCommand.receive(commands);
            PeerCommand.answer(
                    commands,
                    switch (command.way()) {
                        case DESCRIPTOR -> aligned(command.size());
                        case UNALIGNED -> unaligned(command.size());
                        case PIPE -> bytes(pipe, command.size());
                        case SOCKET -> bytes(commands, command.size());
                    });
        }
    }

    private PeerCommand.Answer bytes(ReadableByteChannel from, long size) throws IOException {
        MemorySegment frame = kept.asSlice(0, size);
        ByteBuffer bytes = frame.asByteBuffer();
        PeerCommand.readAll(from, bytes);
        return new PeerCommand.Answer(Twin.sum(frame), 0);
    }

    private PeerCommand.Answer aligned(long size) {
        try (FdMessage message = descriptors.receive();
                Arena arena = Arena.ofConfined()) {
            long start = System.nanoTime();
            MemorySegment frame = mappings.map(message.descriptor(), size, Access.READ, arena);
            long mapped = System.nanoTime() - start;
            return new PeerCommand.Answer(Twin.sum(frame), mapped);
        }
    }

    /** Maps as an unlucky mmap(2) does. */
    @SuppressWarnings("restricted")
    private PeerCommand.Answer unaligned(long size) {
        try (FdMessage message = descriptors.receive()) {
            long start = System.nanoTime();
            long reserved = size + 2 * LARGE;
            long addresses = require(syscalls.mmap(0, reserved, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
            long address = (addresses + LARGE - 1 & -LARGE) + MAP_SHIFT;
            require(syscalls.mmap(
                    address,
                    size,
                    PROT_READ,
                    MAP_SHARED | MAP_FIXED,
                    message.descriptor().fd(),
                    0));
            require(syscalls.madvise(address, size, MADV_POPULATE_READ));
            long mapped = System.nanoTime() - start;
            long sum = Twin.sum(MemorySegment.ofAddress(address).reinterpret(size));
            require(syscalls.munmap(addresses, reserved));
            return new PeerCommand.Answer(sum, mapped);
        }
    }

    private static long require(long result) {
        if (result < 0) {
            throw new IllegalStateException("a system call failed with error " + -result);
        }
        return result;
    }
}
