// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.linux.probe;

import java.io.File;
import java.nio.file.Path;
import java.time.InstantSource;
import java.util.Optional;
import org.dmabuf.heap.HeapException;
import org.dmabuf.heap.spi.DeviceDemands;
import org.dmabuf.heap.spi.DeviceProbe;
import org.osgi.framework.BundleContext;

/**
 * One of the kernel's classes of devices, as a bundle that probes it needs it: entries of devices, outcomes of probes,
 * and the registration of the bundle's services. Any thread may call any method.
 */
public final class ProbedClass {
    private static final String OUTCOMES = "outcomes.txt";

    private final String subsystem;
    private final Path root;
    private final BundleContext context;
    private final ProbeRegistration registration = new ProbeRegistration();
    private final OutcomeMemory memory;

    /**
     * Reads the outcomes of earlier probes.
     *
     * @param subsystem name of the class, such as {@code drm}
     * @param root the root of all files, {@code /} but for tests
     * @param context of the bundle, whose data folder has the outcomes
     */
    public ProbedClass(String subsystem, Path root, BundleContext context) {
        this.subsystem = subsystem;
        this.root = root;
        this.context = context;
        Optional<Path> file = Optional.ofNullable(context.getDataFile(OUTCOMES)).map(File::toPath);
        memory = OutcomeMemory.open(file, InstantSource.system(), registration::announce);
    }

    /**
     * Registers the services of the bundle. It is called once.
     *
     * @param service the object
     * @param <S> both types of the service
     */
    public <S extends DeviceDemands & DeviceProbe> void register(S service) {
        registration.register(context, service);
    }

    /** Ends the services. The outcomes stay in the file. */
    public void unregister() {
        registration.unregister();
    }

    /**
     * Finds a device of this class.
     *
     * @param device the path of a device file
     * @return its entry; empty for another device or file
     * @throws HeapException when the file or the entry cannot be read
     */
    public Optional<DeviceEntry> entry(String device) {
        return DeviceEntry.of(root, device).filter(entry -> entry.subsystem().equals(subsystem));
    }

    /** {@return the outcomes of the probes of this class} */
    public OutcomeMemory memory() {
        return memory;
    }

    /**
     * Forgets all outcomes of a device.
     *
     * @param device the path of a device file
     * @return their number; 0 for a device of another class
     * @throws HeapException when the file or the entry cannot be read
     */
    public int forget(String device) {
        return entry(device).map(memory::forget).orElse(0);
    }
}
