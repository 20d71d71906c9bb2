// SPDX-License-Identifier: Apache-2.0
package org.example.camera;

import org.apache.felix.service.command.Descriptor;
import org.apache.felix.service.command.Parameter;
import org.dmabuf.heap.AllocationRequest;
import org.dmabuf.heap.ExportMode;
import org.dmabuf.heap.HeapBroker;
import org.dmabuf.heap.HeapException;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Reference;

/**
 * The command {@code example:camera}: what a camera does when it starts. It wants all its frames, at once, from the
 * carveout that is set aside for it, and what does not fit in there from the system heap; then the same from the system
 * heap alone, to compare.
 *
 * <p>Frames that another process or a device is to have need a descriptor. Frames that stay in this process need none,
 * and cost a carveout no system call.
 *
 * <p>Immediate, because Gogo gets and ungets the service for each command: a delayed component would be made anew each
 * time.
 */
@Component(
        immediate = true,
        service = CameraCommand.class,
        property = {"osgi.command.scope=example", "osgi.command.function=camera"})
public final class CameraCommand {
    /** 4K in NV12: a byte of luma for each pixel, and two of chroma for each four. */
    private static final long FRAME = 3840L * 2160 * 3 / 2;

    private static final int FRAMES = 12;

    private final HeapBroker broker;

    /**
     * The command over a broker.
     *
     * @param broker this bundle's view of it: what it allocates is charged to this bundle
     */
    @Activate
    public CameraCommand(@Reference HeapBroker broker) {
        this.broker = broker;
    }

    /**
     * Takes the frames and gives them back, both ways.
     *
     * @param isPrivate whether the frames stay in this process
     * @param requirement a filter that each heap must match, empty for none
     * @param arguments none
     * @return what was given, a line for each way
     */
    @Descriptor("take the frames of a 4K camera from heap camera, then system; and from system alone")
    public String camera(
            @Descriptor("frames that stay in this process, as those of a camera whose pictures are only looked at here")
                    @Parameter(
                            names = {"-p", "--private"},
                            presentValue = "true",
                            absentValue = "false")
                    boolean isPrivate,
            @Descriptor("what every heap must be able to do, also the fallback, such as '(heap.dmabuf=true)'")
                    @Parameter(
                            names = {"-r", "--requiring"},
                            absentValue = "")
                    String requirement,
            String... arguments) {
        try {
            if (arguments.length != 0) {
                throw new IllegalArgumentException("usage: example:camera [-p] [-r FILTER]");
            }
            // Not 'if camera is full, ask system': the order is part of the request, and the broker keeps to what else
            // the request says when it goes on to the next heap.
            return start(isPrivate, requirement, "camera", "system") + "\n"
                    + start(isPrivate, requirement, "system");
        } catch (HeapException | IllegalArgumentException e) {
            throw new Refused(e);
        }
    }

    private String start(boolean isPrivate, String requirement, String... heaps) {
        // A page for nothing: the first use of a heap in this process also loads its classes, and that is not a time to
        // blame its memory for.
        try (Frames warmUp = new Frames()) {
            warmUp.take(broker, request(1, isPrivate, requirement, heaps), 1);
        }
        try (Frames frames = new Frames()) {
            frames.take(broker, request(FRAME, isPrivate, requirement, heaps), FRAMES);
            return "from " + String.join(", ", heaps) + ": " + frames.perHeap() + " of " + FRAMES + " frames of "
                    + FRAME + " bytes, the first mapped after " + frames.microsToFirst() + " us";
        }
    }

    private static AllocationRequest request(long size, boolean isPrivate, String requirement, String... heaps) {
        AllocationRequest request = AllocationRequest.of(size)
                .withHeaps(heaps)
                .withName("camera frame")
                .withExport(isPrivate ? ExportMode.NONE : ExportMode.READ_WRITE);
        return requirement.isEmpty() ? request : request.withRequirement(requirement);
    }

    /** Says its sentence and no more: Gogo prints an exception as its {@code toString}. */
    private static final class Refused extends RuntimeException {
        private static final long serialVersionUID = 1L;

        Refused(RuntimeException cause) {
            super(cause.getMessage(), cause);
        }

        @Override
        public String toString() {
            return getMessage();
        }
    }
}
