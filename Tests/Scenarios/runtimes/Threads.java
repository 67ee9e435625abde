// Threads, locks, parallel streams, files, the garbage collector, exceptions from the machine. Not java.nio's channels: their
// class makes a pair of sockets.
import java.io.*;
import java.util.concurrent.*;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;

public class Threads {
    static int guarded;

    public static void main(String[] arguments) throws Exception {
        AtomicInteger counter = new AtomicInteger();
        Object lock = new Object();
        Thread[] threads = new Thread[16];
        for (int i = 0; i < threads.length; i++) {
            threads[i] = new Thread(() -> {
                for (int k = 0; k < 1000; k++) {
                    counter.incrementAndGet();
                    synchronized (lock) { guarded++; }
                }
            });
            threads[i].start();
        }
        for (Thread thread : threads) thread.join();
        System.out.println("threads " + counter.get() + " " + guarded);

        ExecutorService pool = Executors.newFixedThreadPool(4);
        int sum = 0;
        for (Future<Integer> value : pool.invokeAll(IntStream.range(0, 50).mapToObj(i -> (Callable<Integer>) () -> i * i).toList()))
            sum += value.get();
        System.out.println("pool " + sum);
        ScheduledExecutorService clock = Executors.newScheduledThreadPool(1);
        System.out.println("clock " + clock.schedule(() -> "rang", 20, TimeUnit.MILLISECONDS).get());
        clock.shutdown();
        pool.shutdown();
        System.out.println("ended " + pool.awaitTermination(10, TimeUnit.SECONDS));
        System.out.println("stream " + IntStream.range(0, 100000).parallel().filter(i -> i % 7 == 0).count());

        File file = File.createTempFile("java", null);
        try (Writer writer = new FileWriter(file)) { writer.write("text"); }
        try (BufferedReader reader = new BufferedReader(new FileReader(file))) {
            System.out.println("file " + reader.readLine() + " " + file.length() + " " + file.delete());
        }

        try {
            Object none = arguments.length > 99 ? "" : null;
            none.toString();
        } catch (NullPointerException error) {
            System.out.println("null pointer");
        }
        try {
            System.out.println(1 / (counter.get() - 16000));
        } catch (ArithmeticException error) {
            System.out.println("division");
        }
        try {
            deep(0);
        } catch (StackOverflowError error) {
            System.out.println("stack");
        }
        byte[][] garbage = new byte[64][];
        for (int i = 0; i < 2000; i++) garbage[i % 64] = new byte[100000];
        System.gc();
        System.out.println("collected");
        Thread sleeper = new Thread(() -> {
            try {
                Thread.sleep(60000);
            } catch (InterruptedException error) {
                System.out.println("interrupted");
            }
        });
        sleeper.start();
        sleeper.interrupt();
        sleeper.join();
        Runtime.getRuntime().addShutdownHook(new Thread(() -> System.out.println("hook")));
    }

    static int deep(int depth) { return deep(depth + 1) + 1; }
}
