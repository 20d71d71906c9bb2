// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.equinox.client;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.dmabuf.heap.Access;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.CpuAccess;
import org.dmabuf.heap.DmaBuf;
import org.dmabuf.heap.HeapBroker;
import org.dmabuf.heap.HeapMonitor;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.OwnedFd;
import org.dmabuf.heap.equinox.Client;
import org.osgi.framework.BundleActivator;
import org.osgi.framework.BundleContext;
import org.osgi.framework.FrameworkUtil;
import org.osgi.service.cm.Configuration;
import org.osgi.service.cm.ConfigurationAdmin;

/**
 * Activator of the client bundle. It contains all uses of the API in these tests. When it stops, it leaves its buffer
 * open.
 */
public final class ClientActivator implements BundleActivator, Client {
    private BundleContext context;
    private Arena arena;
    private DmaBuf buffer;
    private MemorySegment mapping;
    private OwnedFd descriptor;

    @Override
    public void start(BundleContext started) {
        context = started;
        arena = Arena.ofShared();
        context.registerService(Client.class, this, null);
    }

    @Override
    public void stop(BundleContext stopped) {
        arena.close(); // the arena of the client; a mapping is valid until the arena ends
    }

    @Override
    public void take(String heap, String text) {
        buffer = service(HeapBroker.class)
                .allocate(AllocationRequest.of(4096).withHeaps(heap).withName("frame"));
        mapping = buffer.map(Access.READ_WRITE, arena);
        try (CpuAccess _ = buffer.beginCpuAccess(Access.WRITE)) {
            mapping.setString(0, text);
        }
        descriptor = buffer.exportFd();
    }

    @Override
    public String readAgain() {
        try (Arena now = Arena.ofConfined()) {
            return read(buffer.map(Access.READ, now));
        }
    }

    @Override
    public String readMapped() {
        return read(mapping);
    }

    private String read(MemorySegment segment) {
        try (CpuAccess _ = buffer.beginCpuAccess(Access.READ)) {
            return segment.getString(0);
        }
    }

    @Override
    public boolean isExported() {
        try {
            Object inode = Files.getAttribute(Path.of("/proc/self/fd/" + descriptor.fd()), "unix:ino");
            return inode.equals(buffer.inode().orElseThrow());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override
    public void giveBack() {
        descriptor.close();
        buffer.close();
        arena.close();
        arena = Arena.ofShared();
    }

    @Override
    public List<String> heaps() {
        return service(HeapBroker.class).heaps().stream()
                .map(heap -> heap.name() + " " + heap.state() + " "
                        + heap.properties().get(HeapProperties.BACKEND))
                .toList();
    }

    @Override
    public long charged() {
        return service(HeapMonitor.class).usageByHeap().stream()
                .mapToLong(charges -> charges.liveBuffers() + charges.lingeringBuffers())
                .sum();
    }

    @Override
    public void configure(String pid, Map<String, Object> settings) {
        try {
            Configuration configuration = service(ConfigurationAdmin.class).getConfiguration(pid, "?");
            if (settings.isEmpty()) {
                configuration.delete();
            } else {
                configuration.update(FrameworkUtil.asDictionary(settings));
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private <T> T service(Class<T> type) {
        return context.getService(context.getServiceReference(type));
    }
}
