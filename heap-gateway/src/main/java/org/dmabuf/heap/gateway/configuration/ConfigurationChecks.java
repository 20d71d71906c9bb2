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
 * Component that checks the folder of configuration files for as long as the gateway runs, on a thread
 * {@code dmaheap-configuration}. File Install reads the files, and drops without a word what it cannot use.
 *
 * <p>Names and settings are compared with the components when no bundle has come or gone for a while: a file may be
 * there before the jar that it is for.
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

    // Of the thread alone.
    private List<Long> bundles = List.of();
    private long settling = System.nanoTime();
    /** Whether there is something that was not compared. */
    private boolean fresh;

    private boolean failing;

    /**
     * Starts to check.
     *
     * @param context has the name of the folder as a property
     * @param runtime knows the components
     * @param metatypes know their settings
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
            } catch (Exception e) { // a bundle may go while it is asked
                if (!failing && !stopped) {
                    failing = true;
                    LOG.warn("checking {} failed: {}; it is tried again", folder, e.toString());
                }
            }
            LockSupport.parkNanos(this, PAUSE_NANOS);
        }
    }

    /** {@return what changes when a bundle comes, goes, starts, stops or is updated} */
    private List<Long> bundles() {
        return Arrays.stream(context.getBundles())
                .flatMap(bundle -> Stream.of(bundle.getBundleId(), (long) bundle.getState(), bundle.getLastModified()))
                .toList();
    }

    /** Ends the thread: it reads files at most, and is not waited for. */
    @Deactivate
    void stop() {
        stopped = true;
        LockSupport.unpark(thread);
    }
}
