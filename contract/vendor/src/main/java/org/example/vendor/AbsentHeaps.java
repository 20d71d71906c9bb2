// SPDX-License-Identifier: Apache-2.0
package org.example.vendor;

import java.util.Map;
import org.dmabuf.heap.HeapProperties;
import org.dmabuf.heap.spi.UnavailableHeap;
import org.osgi.framework.BundleContext;
import org.osgi.framework.FrameworkUtil;
import org.osgi.framework.ServiceRegistration;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Deactivate;

/** Two heaps that do not serve: the start of one is repeated automatically, the other has failed. */
@Component(
        immediate = true,
        service = {})
public final class AbsentHeaps {
    private static final String PID = "org.example.vendor.absent";

    private final ServiceRegistration<UnavailableHeap> waiting;
    private final ServiceRegistration<UnavailableHeap> failed;

    @Activate
    public AbsentHeaps(BundleContext context) {
        waiting = register(
                context,
                Map.of(
                        HeapProperties.NAME, "kept-waiting",
                        UnavailableHeap.REASON, "a device is missing; plug it in",
                        UnavailableHeap.RETRIED, true));
        failed = register(
                context,
                Map.of(
                        HeapProperties.NAME,
                        "kept-failed",
                        UnavailableHeap.REASON,
                        "invalid size = much in " + PID + ": expected bytes",
                        UnavailableHeap.PID,
                        PID,
                        UnavailableHeap.FILE,
                        "etc/" + PID + ".cfg"));
    }

    private static ServiceRegistration<UnavailableHeap> register(BundleContext context, Map<String, ?> properties) {
        return context.registerService(
                UnavailableHeap.class, new UnavailableHeap() {}, FrameworkUtil.asDictionary(properties));
    }

    @Deactivate
    void stop() {
        waiting.unregister();
        failed.unregister();
    }
}
