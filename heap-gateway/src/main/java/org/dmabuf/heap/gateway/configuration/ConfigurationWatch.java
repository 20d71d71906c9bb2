// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.gateway.configuration;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Stream;
import org.dmabuf.heap.linux.text.Printable;
import org.osgi.framework.BundleContext;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Thread {@code dmaheap-configuration}, which looks at the folder of configuration files at an interval. The kernel
 * could report changes, but not those of a link's target or of the file below a mount.
 *
 * <p>Names and settings are compared with the components after a pause without bundle changes, because a file may be
 * written before its jar is installed.
 */
final class ConfigurationWatch {
    private static final Logger LOG = LoggerFactory.getLogger(ConfigurationWatch.class);
    /** A change is applied at the second look that sees it: within half a second. */
    private static final long PAUSE_NANOS = TimeUnit.MILLISECONDS.toNanos(250);

    private static final long SETTLED_NANOS = TimeUnit.SECONDS.toNanos(3);

    private final BundleContext context;
    private final Path folder;
    private final ConfigurationFolder files;
    private final InstalledComponents components;
    private final Thread thread;
    private volatile boolean stopped;

    // Used by one thread at a time: the caller of start(), then the thread.
    /** Whether no look has succeeded yet. */
    private boolean first = true;

    private List<Long> bundles = List.of();
    private long settling = System.nanoTime();
    /** Whether a change has not been compared with the components yet. */
    private boolean fresh = true;

    private boolean failing;

    /**
     * @param context context of this bundle
     * @param folder folder with the files
     * @param target receives the content of the files
     */
    ConfigurationWatch(BundleContext context, Path folder, ConfigurationFolder.Target target) {
        this.context = context;
        this.folder = folder;
        files = new ConfigurationFolder(folder, target, LOG::warn);
        components = new InstalledComponents(context);
        thread = Thread.ofPlatform()
                .name("dmaheap-configuration")
                .daemon()
                .inheritInheritableThreadLocals(false)
                .unstarted(this::run);
    }

    /** Applies all files before it returns, and from now on each change. */
    void start() {
        attempt();
        thread.start();
    }

    private void run() {
        while (!stopped) {
            LockSupport.parkNanos(this, PAUSE_NANOS);
            Thread.interrupted(); // a listener of configurations may have set it: the next pause would not pause
            attempt();
        }
    }

    /** Looks, and goes on after any failure: a bundle may leave meanwhile, and memory may be short for a time. */
    private void attempt() {
        try {
            look();
            failing = false;
        } catch (Exception | Error e) {
            if (!failing && !stopped) {
                failing = true;
                report(e);
            }
        }
    }

    private void report(Throwable thrown) {
        try {
            LOG.warn("reading {} failed: {}; it is repeated", folder, Printable.of(thrown.toString()));
        } catch (RuntimeException | Error e) {
            // a failing log must not end the thread
        }
    }

    private void look() throws IOException {
        if (first) {
            files.lookFirst();
            first = false;
        } else {
            fresh |= files.look();
        }
        List<Long> now = bundles();
        if (!now.equals(bundles)) {
            bundles = now;
            fresh = true;
            settling = System.nanoTime();
        }
        if (fresh && System.nanoTime() - settling > SETTLED_NANOS) {
            Optional<Components> known = components.now();
            known.ifPresent(files::compare);
            fresh = known.isEmpty();
        }
    }

    /** {@return a value that changes when a bundle comes, goes, starts, stops or is updated} */
    private List<Long> bundles() {
        return Arrays.stream(context.getBundles())
                .flatMap(bundle -> Stream.of(bundle.getBundleId(), (long) bundle.getState(), bundle.getLastModified()))
                .toList();
    }

    /** Ends the thread without waiting for it: a change that it is applying does no harm. */
    void stop() {
        stopped = true;
        LockSupport.unpark(thread);
    }
}
