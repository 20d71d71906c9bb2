// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.launcher;

import java.util.Arrays;
import java.util.Optional;
import org.osgi.framework.BundleContext;
import org.osgi.framework.ServiceReference;

/**
 * The shell that Gogo's bundle runs on this process's terminal. The launcher calls it by reflection, as {@link Console}
 * does. It finds the shell's thread by name: the launcher has no other way to notice that the user has left.
 */
final class LocalShell {
    private static final String THREAD = "Gogo shell";
    private static final String SERVICE = "org.apache.felix.gogo.jline.Shell";

    /** Time limit: a command that ignores the interrupt must not keep the gateway from ending. */
    private static final long END_MILLIS = 2000;

    private LocalShell() {}

    /** Waits until the user has left the shell. Returns at once if the shell does not run. */
    static void awaitEnd() throws InterruptedException {
        Optional<Thread> shell = thread();
        if (shell.isPresent()) {
            shell.get().join();
        }
    }

    /**
     * Ends the shell before the framework stops. Gogo itself closes the terminal first, and the thread that reads a
     * line may then wait for another key.
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
            // the framework is already stopping, and the shell with it
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

    /** Makes the shell end after its current command, without another prompt. */
    static void stop(BundleContext context) {
        ServiceReference<?> reference = context == null ? null : context.getServiceReference(SERVICE);
        Object shell = reference == null ? null : context.getService(reference);
        try {
            if (shell != null) {
                shell.getClass().getMethod("stop").invoke(shell);
            }
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException("this version of Gogo does not match the launcher", e);
        }
    }
}
