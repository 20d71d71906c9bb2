// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.stress;

import java.io.ByteArrayInputStream;
import java.lang.ref.WeakReference;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.locks.LockSupport;
import org.osgi.framework.Bundle;
import org.osgi.framework.BundleException;
import org.osgi.framework.wiring.BundleWiring;

/** A thread that installs, starts, stops, updates, refreshes and uninstalls bundles of one kind, at random. */
final class HotPlug implements Runnable {
    private static final long LONGEST_PAUSE_NANOS = 60_000_000;

    private final String kind;
    private final GatewayInside gateway;
    private final Tally tally;
    private final Random random;
    private final Map<String, byte[]> jars;
    private final Map<String, Bundle> installed = new ConcurrentHashMap<>();
    private final ConcurrentLinkedQueue<WeakReference<ClassLoader>> loaders = new ConcurrentLinkedQueue<>();

    /**
     * Creates the object without starting it.
     *
     * @param kind the name of the kind in the tally
     * @param jars the jars by location
     */
    HotPlug(String kind, GatewayInside gateway, Tally tally, Map<String, byte[]> jars) {
        this.kind = kind;
        this.gateway = gateway;
        this.tally = tally;
        this.random = tally.random();
        this.jars = jars;
    }

    @Override
    public void run() {
        List<String> locations = new ArrayList<>(jars.keySet());
        locations.sort(null);
        while (!tally.over()) {
            String location = locations.get(random.nextInt(locations.size()));
            String doing = "?";
            try {
                Bundle bundle = installed.get(location);
                if (bundle == null) {
                    doing = "install and start";
                    start(location);
                } else {
                    int fate = random.nextInt(100);
                    if (bundle.getState() != Bundle.ACTIVE) {
                        doing = fate < 70 ? "start" : "uninstall";
                    } else {
                        doing = fate < 40 ? "stop" : fate < 60 ? "update" : fate < 80 ? "refresh" : "uninstall";
                    }
                    change(location, bundle, doing);
                }
                tally.did(doing + " a " + kind);
            } catch (InterruptedException | BundleException | RuntimeException | Error e) {
                tally.fail(doing + " " + location, e);
            }
            LockSupport.parkNanos(random.nextLong(LONGEST_PAUSE_NANOS));
        }
    }

    private void start(String location) throws BundleException {
        Bundle bundle = gateway.install(location, jars.get(location));
        installed.put(location, bundle);
        bundle.start();
        remember(bundle);
    }

    private void change(String location, Bundle bundle, String what) throws BundleException, InterruptedException {
        switch (what) {
            case "start" -> bundle.start();
            case "stop" -> bundle.stop();
            case "update" -> bundle.update(new ByteArrayInputStream(jars.get(location)));
            case "refresh" -> gateway.refresh(List.of(bundle));
            default -> {
                installed.remove(location);
                bundle.uninstall();
            }
        }
        if (bundle.getState() == Bundle.ACTIVE) {
            remember(bundle);
        }
    }

    private void remember(Bundle bundle) {
        loaders.add(new WeakReference<>(bundle.adapt(BundleWiring.class).getClassLoader()));
        loaders.removeIf(loader -> loader.refersTo(null));
    }

    /** Starts all bundles once, so that one-time initializations are done. */
    void startAll() throws BundleException {
        for (String location : jars.keySet()) {
            start(location);
        }
    }

    void stopAll() throws BundleException {
        for (Bundle bundle : installed.values()) {
            bundle.stop();
        }
    }

    void uninstallAll() throws BundleException, InterruptedException {
        List<Bundle> all = List.copyOf(installed.values());
        installed.clear();
        for (Bundle bundle : all) {
            bundle.uninstall();
        }
        gateway.refresh(all);
    }

    /** {@return class loaders of its bundles that are still reachable} */
    List<String> loaders() {
        return loaders.stream()
                .map(WeakReference::get)
                .filter(loader -> loader != null)
                .map(Object::toString)
                .distinct()
                .toList();
    }
}
