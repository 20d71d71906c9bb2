// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.gateway.configuration;

import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Stream;
import org.osgi.framework.BundleContext;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Deactivate;
import org.osgi.service.component.annotations.Reference;
import org.osgi.service.component.runtime.ServiceComponentRuntime;
import org.osgi.service.metatype.MetaTypeService;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Component that checks the folder of configuration files while the gateway runs, on the thread
 * {@code dmaheap-configuration}. File Install reads the files, but logs nothing about content that it ignores.
 *
 * <p>Names and settings are compared with the components after a pause without bundle changes, because a file may be
 * written before its jar is installed.
 */
@Component(immediate = true, service = {})
public final class ConfigurationChecks {
    private static final Logger LOG = LoggerFactory.getLogger(ConfigurationChecks.class);
    private static final String FOLDER = "felix.fileinstall.dir";
    private static final long PAUSE_NANOS = TimeUnit.MILLISECONDS.toNanos(500);
    private static final long SETTLED_NANOS = TimeUnit.SECONDS.toNanos(3);

    private final BundleContext context;
    private final InstalledComponents components;
    private final Thread thread;
    private volatile boolean stopped;

    // Used by the thread only.
    private List<Long> bundles = List.of();
    private long settling = System.nanoTime();
    /** Whether a change has not been compared with the components yet. */
    private boolean fresh;

    private boolean failing;

    /**
     * Starts the checks.
     *
     * @param context context whose properties name the folder
     * @param runtime source of the components
     * @param metatypes source of their settings
     */
    @Activate
    public ConfigurationChecks(
            BundleContext context, @Reference ServiceComponentRuntime runtime, @Reference MetaTypeService metatypes) {
        this.context = context;
        components = new InstalledComponents(context, runtime, metatypes);
        String folder = context.getProperty(FOLDER);
        thread = Thread.ofPlatform()
                .name("dmaheap-configuration")
                .daemon()
                .inheritInheritableThreadLocals(false)
                .unstarted(() -> run(folder));
        if (folder != null) {
            thread.start();
        }
    }

    private void run(String folder) {
        ConfigurationFolder files = new ConfigurationFolder(Path.of(folder), LOG::warn);
        while (!stopped) {
            try {
                fresh |= files.look();
                List<Long> now = bundles();
                if (!now.equals(bundles)) {
                    bundles = now;
                    fresh = true;
                    settling = System.nanoTime();
                }
                if (fresh && System.nanoTime() - settling > SETTLED_NANOS) {
                    files.compare(components.now());
                    fresh = false;
                }
                failing = false;
            } catch (Exception e) { // a bundle may leave during the check
                if (!failing && !stopped) {
                    failing = true;
                    LOG.warn("checking {} failed: {}; the check is repeated", folder, e.toString());
                }
            }
            LockSupport.parkNanos(this, PAUSE_NANOS);
        }
    }

    /** {@return a value that changes when a bundle comes, goes, starts, stops or is updated} */
    private List<Long> bundles() {
        return Arrays.stream(context.getBundles())
                .flatMap(bundle -> Stream.of(bundle.getBundleId(), (long) bundle.getState(), bundle.getLastModified()))
                .toList();
    }

    /** Ends the thread without waiting for it: all it does is to read files. */
    @Deactivate
    void stop() {
        stopped = true;
        LockSupport.unpark(thread);
    }
}
