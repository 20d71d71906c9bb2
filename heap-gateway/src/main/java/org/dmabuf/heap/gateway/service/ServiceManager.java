// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.gateway.service;

import java.time.Duration;
import java.util.Optional;
import org.dmabuf.heap.HeapMonitor;
import org.dmabuf.heap.linux.socket.NotifySocket;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Deactivate;
import org.osgi.service.component.annotations.Reference;
import org.osgi.service.component.annotations.ReferenceCardinality;
import org.osgi.service.component.annotations.ReferencePolicy;
import org.osgi.service.condition.Condition;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Component that reports the gateway's state to systemd, if that has started the process with {@code Type=notify}. The
 * variables of the environment are those of sd_notify(3) and sd_watchdog_enabled(3).
 */
@Component(service = {})
public final class ServiceManager {
    private static final Logger LOG = LoggerFactory.getLogger("org.dmabuf.heap.gateway");

    /** The launcher's sign that all bundles were started; null before. */
    @Reference(
            cardinality = ReferenceCardinality.OPTIONAL,
            policy = ReferencePolicy.DYNAMIC,
            target = "(osgi.condition.id=org.dmabuf.heap.gateway.up)")
    volatile Condition up;

    /** The current broker's monitor; null without a broker. */
    @Reference(cardinality = ReferenceCardinality.OPTIONAL, policy = ReferencePolicy.DYNAMIC)
    volatile HeapMonitor monitor;

    private final Optional<Notifier> notifier;

    /** Begins to report, if a service manager wants reports. */
    @Activate
    public ServiceManager() {
        notifier = open();
    }

    private Optional<Notifier> open() {
        String address = System.getenv("NOTIFY_SOCKET");
        if (address == null || address.isEmpty()) {
            return Optional.empty();
        }
        try {
            NotifySocket socket = NotifySocket.at(address);
            Liveness liveness = new Liveness(() -> up == null ? null : monitor);
            return Optional.of(new Notifier(socket::send, liveness, watchdog()).start());
        } catch (IllegalArgumentException e) {
            LOG.warn("{}; the service manager gets no reports", e.getMessage());
            return Optional.empty();
        }
    }

    private static Optional<Duration> watchdog() {
        try {
            return Watchdog.of(System.getenv(), ProcessHandle.current().pid());
        } catch (IllegalArgumentException e) {
            LOG.warn("{}; the service manager gets no signs of life", e.getMessage());
            return Optional.empty();
        }
    }

    @Deactivate
    void deactivate() {
        notifier.ifPresent(Notifier::close);
    }
}
