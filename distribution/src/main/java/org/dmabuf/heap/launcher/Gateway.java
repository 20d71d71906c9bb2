// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.launcher;

import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.apache.felix.framework.Felix;
import org.apache.felix.framework.util.FelixConstants;
import org.osgi.framework.BundleContext;
import org.osgi.framework.BundleException;
import org.osgi.framework.Constants;
import org.osgi.framework.FrameworkEvent;
import org.osgi.framework.FrameworkUtil;
import org.osgi.service.condition.Condition;

/**
 * The framework and its bundles, from start to end.
 *
 * <p>The main thread and the shutdown hook may call {@link #close()} in any order or at once. One of them does the
 * work; the other waits for it.
 */
final class Gateway implements AutoCloseable {
    /** Time limit for the stop of the framework. After it the process ends although a bundle still blocks. */
    private static final long STOP_MILLIS = TimeUnit.SECONDS.toMillis(10);

    private final Felix framework;
    private final BundleFolder bundles;
    private final Path dropped;
    private final BundleCache cache;
    private volatile Reports reports = new Reports(_ -> {});
    private volatile DeployFolder deploy;
    private boolean closed;

    /**
     * Creates the object, which starts nothing yet.
     *
     * @param bundles folder of the jars to run
     * @param dropped folder of jars that may come and go
     * @param cache folder that the framework may write to; deleted at the end
     * @param settings framework properties
     */
    Gateway(Path bundles, Path dropped, BundleCache cache, Map<String, String> settings) {
        // By default, the resolver starts a thread for each processor.
        Map<String, Object> configuration = new HashMap<>(Map.of("felix.resolver.parallelism", "1"));
        configuration.putAll(settings);
        configuration.put(Constants.FRAMEWORK_STORAGE, cache.folder().toString());
        configuration.put(FelixConstants.LOG_LOGGER_PROP, new FrameworkLog());
        this.framework = new Felix(configuration);
        this.bundles = new BundleFolder(bundles);
        this.dropped = dropped;
        this.cache = cache;
    }

    /**
     * Installs and starts every bundle. When it returns, each component whose dependencies are present is active.
     *
     * @param problems receives a sentence for each bundle that does not run; the others run
     * @return whether an interactive shell is running
     */
    boolean start(Commands commands, Consumer<String> problems) throws Failure {
        // Threads inherit the context class loader. A library that uses it to find its own classes, as JLine does,
        // would otherwise search the launcher instead of itself.
        Thread.currentThread().setContextClassLoader(null);
        try {
            framework.start();
        } catch (BundleException e) {
            throw Failure.of("the framework does not start: " + Sentence.of(e), e);
        }
        OsgiLog.register(context());
        commands.register(context());
        reports = new Reports(problems);
        return bundles.run(context(), reports, this::openDeploy);
    }

    /** Opened without the lock that {@link #close()} takes: a bundle that it starts may end the process. */
    private void openDeploy() {
        deploy = new DeployFolder(dropped, cache.folder().resolve("deploy"), reports);
        deploy.open(context());
    }

    /** Registers the sign that all bundles were started. heap-gateway then reports to the service manager. */
    void announce() {
        context()
                .registerService(
                        Condition.class,
                        Condition.INSTANCE,
                        FrameworkUtil.asDictionary(Map.of(Condition.CONDITION_ID, "org.dmabuf.heap.gateway.up")));
    }

    BundleContext context() {
        return framework.getBundleContext();
    }

    /** Returns when the framework has stopped, for example because of the shell's end, a command, or a signal. */
    void waitForStop() throws InterruptedException {
        framework.waitForStop(0);
    }

    /** Stops the framework in a thread of its own, so that a bundle may request it too. */
    void stop() {
        try {
            framework.stop();
        } catch (BundleException e) {
            throw new IllegalStateException("declared for bundles; a framework does not throw it", e);
        }
    }

    /** Stops the framework with all bundles, within a time limit, and deletes its files. */
    @Override
    public synchronized void close() {
        if (closed) {
            return;
        }
        closed = true;
        try {
            bundles.giveUp();
            if (deploy != null) {
                deploy.close();
            }
            stop();
            if (framework.waitForStop(STOP_MILLIS).getType() == FrameworkEvent.WAIT_TIMEDOUT) {
                reports.problem("the framework has not stopped after " + STOP_MILLIS / 1000
                        + " s, since a bundle blocks; the gateway ends without it");
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } finally {
            cache.close();
        }
    }
}
