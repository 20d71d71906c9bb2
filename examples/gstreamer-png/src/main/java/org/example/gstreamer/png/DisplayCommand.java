// SPDX-License-Identifier: Apache-2.0
package org.example.gstreamer.png;

import org.apache.felix.service.command.Descriptor;
import org.apache.felix.service.command.Parameter;
import org.dmabuf.heap.HeapBroker;
import org.dmabuf.heap.HeapException;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Deactivate;
import org.osgi.service.component.annotations.Reference;

/**
 * Command {@code example:display SINK}, which shows the test card on a device until {@code example:display --off} or
 * the end of the bundle.
 *
 * <p>The component is immediate, because Gogo gets and ungets the service for each command.
 */
@Component(
        immediate = true,
        service = DisplayCommand.class,
        property = {"osgi.command.scope=example", "osgi.command.function=display"})
public final class DisplayCommand {
    private final HeapBroker broker;
    private GStreamer gstreamer;
    private Display display;

    /**
     * Makes the command.
     *
     * @param broker this bundle's broker
     */
    @Activate
    public DisplayCommand(@Reference HeapBroker broker) {
        this.broker = broker;
    }

    /**
     * Shows the test card, or ends that.
     *
     * @param off whether to end
     * @param arguments SINK
     * @return a line with the result
     */
    @Descriptor("draw a test card into a buffer and show it on a device by GStreamer, until --off")
    public synchronized String display(
            @Descriptor("stop showing it")
                    @Parameter(
                            names = {"--off"},
                            presentValue = "true",
                            absentValue = "false")
                    boolean off,
            @Descriptor("SINK, such as 'kmssink driver-name=i915' or 'v4l2sink device=/dev/video4"
                            + " io-mode=dmabuf-import'")
                    String... arguments) {
        try {
            if (arguments.length != (off ? 0 : 1)) {
                throw new IllegalArgumentException("usage: example:display SINK, or example:display --off");
            }
            end();
            if (off) {
                return "nothing is shown";
            }
            if (gstreamer == null) {
                gstreamer = GStreamer.load();
            }
            display = Display.show(broker, gstreamer, arguments[0]);
            return TestCard.WIDTH + " x " + TestCard.HEIGHT + ", shown out of a buffer of heap '" + display.heapName()
                    + "'";
        } catch (GStreamerException | HeapException | IllegalArgumentException e) {
            throw new Refused(e);
        }
    }

    /** Ends the display. */
    @Deactivate
    synchronized void end() {
        if (display != null) {
            display.close();
            display = null;
        }
    }
}
