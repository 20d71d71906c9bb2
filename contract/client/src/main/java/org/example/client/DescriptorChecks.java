// SPDX-License-Identifier: Apache-2.0
package org.example.client;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static org.example.client.Gateway.OWN;
import static org.example.client.Gateway.REGION;

import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Set;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.ExportMode;
import org.dmabuf.heap.HeapBroker;
import org.dmabuf.heap.HeapRefusedException;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.linux.device.DeviceFile;
import org.dmabuf.heap.linux.socket.FdListener;
import org.dmabuf.heap.linux.socket.FdMessage;
import org.dmabuf.heap.linux.socket.FdSocket;
import org.dmabuf.heap.linux.socket.FdSocketException;
import org.dmabuf.heap.linux.socket.NotifySocket;

/** Checks of descriptors that are exported, adopted, owned or sent, and of a device. */
final class DescriptorChecks {
    private static final Duration PATIENCE = Duration.ofSeconds(20);

    private final Gateway gateway;
    private final HeapBroker broker;

    DescriptorChecks(Gateway gateway) {
        this.gateway = gateway;
        broker = gateway.broker();
    }

    void run(Report report) {
        report.run("a buffer is exported and adopted", this::aBufferIsExportedAndAdopted);
        report.run("a plain descriptor gets an owner", this::aPlainDescriptorGetsAnOwner);
        report.run("a descriptor goes over a socket", this::aDescriptorGoesOverASocket);
        report.run("a heap's rule keeps a descriptor from a peer", this::aRuleKeepsADescriptorFromAPeer);
        report.run("sockets say what went wrong", this::socketsSayWhatWentWrong);
        report.run("a device is used", DescriptorChecks::aDeviceIsUsed);
    }

    /** {@return a page that holds sevens, whose descriptor permits reading} */
    private DmaBuf sevens(Arena arena) {
        DmaBuf buffer =
                broker.allocate(AllocationRequest.of(4096).withHeaps(OWN).withExport(ExportMode.READ_ONLY));
        buffer.map(Access.WRITE, arena).fill((byte) 7);
        return buffer;
    }

    private void aBufferIsExportedAndAdopted() {
        try (Arena arena = Arena.ofConfined();
                DmaBuf buffer = sevens(arena)) {
            OwnedFd descriptor = buffer.exportFd();
            Expect.yes(descriptor.fd() >= 0);
            Expect.yes(descriptor.peers().isEmpty());
            try (DmaBuf adopted = broker.adopt(descriptor, "again")) {
                Expect.same("adopted", adopted.heapName());
                Expect.same("again", adopted.name().orElseThrow());
                Expect.same(buffer.inode().orElseThrow(), adopted.inode().orElseThrow());
                Expect.same((byte) 7, adopted.map(Access.READ, arena).get(JAVA_BYTE, 4095));
            }
        }
    }

    private void aPlainDescriptorGetsAnOwner() {
        try (Arena arena = Arena.ofConfined();
                DmaBuf buffer = sevens(arena)) {
            int plain = buffer.exportFd().detach();
            OwnedFd owned = broker.own(plain);
            Expect.same(plain, owned.fd());
            Expect.yes(owned.peers().isEmpty());
            broker.adopt(owned, "owned").close();
            OwnedFd another = OwnedFd.of(
                    buffer.exportFd().detach(), number -> broker.own(number).close());
            another.close();
            Expect.failure(IllegalStateException.class, another::fd);
        }
        Expect.failure(IllegalArgumentException.class, () -> broker.own(-1));
    }

    private void aDescriptorGoesOverASocket() throws Exception {
        Path folder = Files.createTempDirectory("kept");
        Path path = folder.resolve("socket");
        try (DmaBuf buffer = gateway.page(OWN);
                FdListener listener = FdListener.bind(path);
                FdSocket sender = FdSocket.connect(path, PATIENCE);
                FdSocket receiver = listener.accept(
                        PATIENCE, peer -> peer.pid() == ProcessHandle.current().pid())) {
            Expect.same(path, listener.path());
            Expect.same(sender.peer().uid(), receiver.peer().uid());
            Expect.same(sender.peer().gid(), receiver.peer().gid());
            try (OwnedFd descriptor = buffer.exportFd()) {
                sender.send(descriptor, "frame");
            }
            try (FdMessage message = receiver.receive()) {
                Expect.same("frame", message.text());
                Expect.yes(message.descriptor().fd() >= 0);
            }
            try (OwnedFd descriptor = buffer.exportFd()) {
                sender.send(descriptor, "again");
            }
            receiver.receive(PATIENCE).close();
            Expect.same(sender.peer().groups(), receiver.peer().groups());
            Expect.yes(!FdListener.isServed(folder.resolve("all")));
            NotifySocket absent = NotifySocket.at(folder.resolve("all").toString());
            Expect.failure(FdSocketException.class, () -> {
                absent.send("READY=1");
                return absent;
            });
            FdListener.bindForAll(folder.resolve("all")).close();
            FdListener.bindForGroup(folder.resolve("group"), receiver.peer().gid())
                    .close();
        } finally {
            Files.delete(folder);
        }
    }

    private void aRuleKeepsADescriptorFromAPeer() throws Exception {
        Path folder = Files.createTempDirectory("kept");
        try (DmaBuf buffer = gateway.page(REGION);
                OwnedFd descriptor = buffer.exportFd();
                FdListener listener = FdListener.bind(folder.resolve("socket"));
                FdSocket sender = FdSocket.connect(listener.path(), PATIENCE)) {
            Expect.same(REGION, descriptor.peers().orElseThrow().heap());
            Expect.same(Set.of(64999), descriptor.peers().orElseThrow().users());
            FdSocketException refused = Expect.failure(FdSocketException.class, () -> {
                sender.send(descriptor, "frame");
                return "sent";
            });
            Expect.same(Errno.EACCES, refused.errno());
            Expect.yes(refused.getMessage().contains(REGION));
        } finally {
            Files.delete(folder);
        }
    }

    private void socketsSayWhatWentWrong() throws Exception {
        Path folder = Files.createTempDirectory("kept");
        try {
            FdSocketException absent =
                    Expect.failure(FdSocketException.class, () -> FdSocket.connect(folder.resolve("absent"), PATIENCE));
            Expect.same(Errno.ENOENT, absent.errno());
            Expect.same(2, absent.number());
            Expect.yes(!absent.getMessage().isEmpty());
            try (FdListener listener = FdListener.bind(folder.resolve("socket"))) {
                Expect.same(
                        Errno.ETIMEDOUT,
                        Expect.failure(FdSocketException.class, () -> listener.accept(Duration.ofMillis(1), _ -> true))
                                .errno());
                FdSocket.connect(listener.path(), PATIENCE).close();
                try (FdSocket left = listener.accept(PATIENCE, _ -> true)) {
                    Expect.same(
                            Errno.ENOTCONN,
                            Expect.failure(FdSocketException.class, left::receive)
                                    .errno());
                }
            }
        } finally {
            Files.delete(folder);
        }
    }

    private static void aDeviceIsUsed() {
        try (DeviceFile device = DeviceFile.open("/dev/null");
                Arena arena = Arena.ofConfined()) {
            Expect.same(DeviceFile.POLLOUT, device.poll(DeviceFile.POLLOUT, 0));
            int result = device.ioctl(0x5601, arena.allocate(8));
            Expect.same(-Errno.ENOTTY.number(), result);
            Expect.failure(HeapRefusedException.class, () -> {
                device.require("VT_GETMODE", result);
                return "";
            });
        }
    }
}
