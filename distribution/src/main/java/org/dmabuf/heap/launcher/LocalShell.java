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

    /** A command that ignores the interrupt does not keep the gateway from ending. */
    private static final long END_MILLIS = 2000;

    private LocalShell() {}

    /** Waits until the user has left the shell. Returns at once when it does not run. */
    static void awaitEnd() throws InterruptedException {
        Optional<Thread> shell = thread();
        if (shell.isPresent()) {
            shell.get().join();
        }
    }

    /**
     * Ends the shell before the framework stops. Gogo itself closes the terminal first, after which the thread that
     * reads a line may wait for one more key.
     */
    static void end(BundleContext context) {
        Optional<Thread> shell = thread();
        if (shell.isEmpty()) {
            return;
        }
        try {
            stop(context);
            shell.get().interrupt();
            shell.get().join(END_MILLIS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } catch (IllegalStateException e) {
            // the framework stops already, and the shell with it
        }
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
        ServiceReference<?> reference = context == null ? null : context.getServiceReference(SERVICE);
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
