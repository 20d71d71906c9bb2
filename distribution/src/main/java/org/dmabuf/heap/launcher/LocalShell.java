// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.launcher;

import java.util.Arrays;
import java.util.Optional;
import org.osgi.framework.BundleContext;
import org.osgi.framework.ServiceReference;

/**
 * The shell that Gogo's bundle runs on the terminal of this process. The launcher calls it by reflection, as
 * {@link Console} does, and knows its thread by the name: Gogo tells no other way that the user has left.
 */
final class LocalShell {
    private static final String THREAD = "Gogo shell";
    private static final String SERVICE = "org.apache.felix.gogo.jline.Shell";

    private LocalShell() {}

    /** Waits until the user has left the shell. Returns at once when it does not run. */
    static void awaitEnd() throws InterruptedException {
        Optional<Thread> shell = thread();
        if (shell.isPresent()) {
            shell.get().join();
        }
    }

    /** {@return whether it runs} */
    static boolean isRunning() {
        return thread().isPresent();
    }

    private static Optional<Thread> thread() {
        ThreadGroup root = Thread.currentThread().getThreadGroup();
        while (root.getParent() != null) {
            root = root.getParent();
        }
        Thread[] threads = new Thread[2 * root.activeCount() + 16];
        int count = root.enumerate(threads);
        return Arrays.stream(threads, 0, count)
                .filter(thread -> thread.getName().equals(THREAD))
                .findFirst();
    }

    /** Lets the shell end after the command that runs in it, without another prompt. */
    static void stop(BundleContext context) {
        ServiceReference<?> reference = context.getServiceReference(SERVICE);
        Object shell = reference == null ? null : context.getService(reference);
        try {
            if (shell != null) {
                shell.getClass().getMethod("stop").invoke(shell);
            }
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException("this Gogo is not the one that the launcher was written for", e);
        }
    }
}
