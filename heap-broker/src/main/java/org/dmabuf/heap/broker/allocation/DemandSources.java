// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.broker.allocation;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicLong;
import org.dmabuf.heap.Errno;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.broker.heap.ThrownText;
import org.dmabuf.heap.constraint.Demand;
import org.dmabuf.heap.linux.text.Printable;
import org.dmabuf.heap.spi.DeviceDemands;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Sources of the demands of devices, as they arrive and leave. They are called under no lock. */
public final class DemandSources {
    private static final Logger LOG = LoggerFactory.getLogger(DemandSources.class);

    private record Source(long service, DeviceDemands code, String bundle) {}

    private final List<Source> sources = new CopyOnWriteArrayList<>();
    private final AtomicLong version = new AtomicLong();

    /**
     * Adds a source.
     *
     * @param service its {@code service.id}
     * @param code its service object
     * @param bundle symbolic name of its bundle
     */
    public void add(long service, DeviceDemands code, String bundle) {
        sources.add(new Source(service, code, bundle));
        changed();
    }

    /** Removes a source. */
    public void remove(long service) {
        sources.removeIf(source -> source.service() == service);
        changed();
    }

    /** Notes that a source may know other demands than before. */
    public void changed() {
        version.incrementAndGet(); // after the change: demands of an earlier version are asked for again
    }

    /** {@return a number that changes with the sources, to be read before {@link #demands}} */
    long version() {
        return version.get();
    }

    /**
     * Asks every source about every device.
     *
     * @param devices paths of device files
     * @return all demands, in the order of the devices
     * @throws HeapException if no source knows a device, or a source fails
     */
    List<Demand> demands(List<String> devices) {
        List<Demand> all = new ArrayList<>();
        for (String device : devices) {
            List<Demand> its = of(device);
            if (its.isEmpty()) {
                throw HeapException.of(
                        Errno.ENODEV,
                        "the demands of device " + Printable.of(device) + " are unknown; install a bundle that knows"
                                + " it, or write them to a file of org.dmabuf.device.constraints");
            }
            all.addAll(its);
        }
        return List.copyOf(all);
    }

    /**
     * Asks every source about one device.
     *
     * @param device path of a device file
     * @return its demands, empty if no source knows it
     * @throws HeapException if a source fails
     */
    List<Demand> of(String device) {
        List<Demand> all = new ArrayList<>();
        for (Source source : sources) {
            all.addAll(ask(source, device));
        }
        return List.copyOf(all);
    }

    private static List<Demand> ask(Source source, String device) {
        try {
            List<Demand> demands = new ArrayList<>();
            for (Object demand : source.code().demands(device).toArray()) { // the list's other methods are not called
                demands.add(of((Demand) demand, source));
            }
            return demands;
        } catch (HeapException | OutOfMemoryError e) {
            throw e;
        } catch (Throwable e) { // of the vendor's code
            Interruption.check();
            logFailure(source, device, e);
            throw HeapException.of(
                    Errno.EIO,
                    "finding the demands of device " + Printable.of(device) + " failed: bundle "
                            + Printable.of(source.bundle()) + " failed with " + ThrownText.text(e)
                            + "; report that to its vendor");
        }
    }

    /** Logs a throwable of the vendor's code, whose methods may fail when the log calls them. */
    private static void logFailure(Source source, String device, Throwable failure) {
        try {
            LOG.error(
                    "bundle {} failed to find the demands of device {}; report that to its vendor",
                    Printable.of(source.bundle()),
                    Printable.of(device),
                    failure);
        } catch (Throwable e) {
            // The client's exception reports the failure.
        }
    }

    /** Adds the bundle to a demand of an unknown kind, because only that bundle knows what it means. */
    private static Demand of(Demand demand, Source source) {
        return demand.kind().isUnknown()
                ? Demand.of(demand.who(), demand.value(), joined(demand.why(), "from bundle " + source.bundle()))
                : demand;
    }

    /** {@return the reasons that are not empty, as one text} */
    static String joined(String... reasons) {
        return String.join(
                "; ", Arrays.stream(reasons).filter(reason -> !reason.isEmpty()).toList());
    }
}
