// SPDX-License-Identifier: Apache-2.0
package org.example.camera;

import org.apache.felix.service.command.Descriptor;
import org.apache.felix.service.command.Parameter;
import org.dmabuf.heap.AllocationPlan;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.ExportMode;
import org.dmabuf.heap.HeapBroker;
import org.dmabuf.heap.HeapException;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Reference;

/**
 * Command {@code example:camera}, which allocates memory as a camera does at its start. It allocates all frames at once
 * from the camera's carveout, and those that do not fit from the system heap. Then it does the same from the system
 * heap only, for comparison.
 *
 * <p>With {@code --for DEVICE}, a plan for the device decides about the heap and the size instead. For a V4L2 device
 * the bundle device-v4l2 reports the size of a frame, and the heaps whose memory the device refused.
 *
 * <p>Frames for another process or a device need a descriptor. Frames that stay in this process do not, and a carveout
 * then allocates them without a system call.
 *
 * <p>The component is immediate, because Gogo gets and ungets the service for each command. A delayed component would
 * be made anew each time.
 */
@Component(
        immediate = true,
        service = CameraCommand.class,
        property = {"osgi.command.scope=example", "osgi.command.function=camera"})
public final class CameraCommand {
    /** Bytes of a 4K frame in NV12: one byte of luma for each pixel, and two bytes of chroma for each four pixels. */
    private static final long FRAME = 3840L * 2160 * 3 / 2;

    private static final int FRAMES = 12;

    private final HeapBroker broker;

    /**
     * Makes the command.
     *
     * @param broker this bundle's broker, which charges allocations to this bundle
     */
    @Activate
    public CameraCommand(@Reference HeapBroker broker) {
        this.broker = broker;
    }

    /**
     * Allocates and releases the frames in both ways.
     *
     * @param isPrivate whether the frames stay in this process
     * @param requirement a filter that each heap must match, empty for none
     * @param device the path of a device that uses the frames, empty for none
     * @param arguments must be empty
     * @return a line with the allocated frames for each way
     */
    @Descriptor("allocate the frames of a 4K camera from heap camera, then system; and from system only")
    public String camera(
            @Descriptor("frames that stay in this process and are not exported")
                    @Parameter(
                            names = {"-p", "--private"},
                            presentValue = "true",
                            absentValue = "false")
                    boolean isPrivate,
            @Descriptor("properties that every heap must have, including the fallback, such as '(heap.dmabuf=true)'")
                    @Parameter(
                            names = {"-r", "--requiring"},
                            absentValue = "")
                    String requirement,
            @Descriptor("device that uses the frames, such as /dev/video0; its demands decide about heap and size")
                    @Parameter(
                            names = {"-f", "--for"},
                            absentValue = "")
                    String device,
            String... arguments) {
        try {
            if (arguments.length != 0) {
                throw new IllegalArgumentException("usage: example:camera [-p] [-r FILTER] [-f DEVICE]");
            }
            if (!device.isEmpty()) {
                return startFor(device, isPrivate, requirement);
            }
            // The client needs no code for the fallback to the system heap. The request has the order of the heaps, and
            // the broker applies the other requirements to each heap.
            return start(isPrivate, requirement, "camera", "system") + "\n" + start(isPrivate, requirement, "system");
        } catch (HeapException | IllegalArgumentException e) {
            throw new Refused(e);
        }
    }

    private String start(boolean isPrivate, String requirement, String... heaps) {
        // Allocates a page first, because the first use of a heap in this process also loads its classes. The measured
        // time must not include that.
        try (Frames warmUp = new Frames()) {
            AllocationRequest page = request(1, isPrivate, requirement, heaps);
            warmUp.take(() -> broker.allocate(page), 1);
        }
        try (Frames frames = new Frames()) {
            AllocationRequest frame = request(FRAME, isPrivate, requirement, heaps);
            frames.take(() -> broker.allocate(frame), FRAMES);
            return "from " + String.join(", ", heaps) + ": " + result(frames, FRAME);
        }
    }

    private String startFor(String device, boolean isPrivate, String requirement) {
        // The device's demand size.min raises one byte to the size of a frame in the device's present format.
        AllocationPlan plan = broker.plan(request(1, isPrivate, requirement).forDevices(device));
        try (Frames frames = new Frames()) {
            frames.take(plan::allocate, FRAMES);
            return "for " + device + ": " + result(frames, plan.size());
        }
    }

    private static String result(Frames frames, long size) {
        return frames.perHeap() + " of " + FRAMES + " frames of " + size + " bytes, the first mapped after "
                + frames.microsToFirst() + " us";
    }

    private static AllocationRequest request(long size, boolean isPrivate, String requirement, String... heaps) {
        AllocationRequest request = AllocationRequest.of(size)
                .withHeaps(heaps)
                .withName("camera frame")
                .withExport(isPrivate ? ExportMode.NONE : ExportMode.READ_WRITE);
        return requirement.isEmpty() ? request : request.withRequirement(requirement);
    }
}
