// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.bench;

import com.sun.tools.attach.VirtualMachine;
import java.lang.management.ManagementFactory;
import java.lang.management.MemoryMXBean;
import java.util.ArrayList;
import java.util.List;
import javax.management.remote.JMXConnector;
import javax.management.remote.JMXConnectorFactory;
import javax.management.remote.JMXServiceURL;

/** Program that forces a garbage collection in each of the given Java processes, one second after the previous. */
public final class ForcedCollections {
    private ForcedCollections() {}

    /**
     * Runs until a signal ends it. It prints a line after the first collection of all processes.
     *
     * @param pids numbers of the processes
     * @throws Exception if a process ends or cannot be reached
     */
    public static void main(String... pids) throws Exception {
        List<MemoryMXBean> processes = new ArrayList<>();
        for (String pid : pids) {
            VirtualMachine process = VirtualMachine.attach(pid);
            JMXServiceURL place = new JMXServiceURL(process.startLocalManagementAgent());
            process.detach();
            JMXConnector connector = JMXConnectorFactory.connect(place);
            processes.add(ManagementFactory.newPlatformMXBeanProxy(
                    connector.getMBeanServerConnection(), ManagementFactory.MEMORY_MXBEAN_NAME, MemoryMXBean.class));
        }
        processes.forEach(MemoryMXBean::gc);
        System.out.println("collections are forced");
        while (true) {
            Thread.sleep(1000);
            processes.forEach(MemoryMXBean::gc);
        }
    }
}
