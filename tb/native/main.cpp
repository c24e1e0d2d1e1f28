// Simulation main with the clock inside: takes the place of the main that cocotb ships for Verilator.
//
// cocotb's main steps from one VPI deadline to the next and runs every callback region at each. Here the clock is toggled in C++,
// and a time step at which no callback is due costs one evaluation of the model; after any Python activity the next step runs
// cocotb's full loop body again, so RisingEdge, Timer, ReadOnly and the like behave the same. It has no `#` delays to wait for
// (models are built without --timing). The log of a run is the same under this main and under cocotb's own.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>

#include "Vtop.h"
#include "verilated.h"
#include "verilated_vpi.h"
#if VM_COVERAGE
#include "verilated_cov.h"
#endif
#if VM_TRACE
#if VM_TRACE_FST
#include "verilated_fst_c.h"
using Trace = VerilatedFstC;
constexpr const char* DefaultTraceFile = "dump.fst";
#else
#include "verilated_vcd_c.h"
using Trace = VerilatedVcdC;
constexpr const char* DefaultTraceFile = "dump.vcd";
#endif
#endif

extern "C" void vlog_startup_routines_bootstrap(void);

namespace {

vluint64_t now = 0;   // simulation time in units of the time precision

// Half a clock period in time precision steps: 1 ns at 1 ps, the period that tb.bridge gives its own clock under other mains.
constexpr vluint64_t HalfPeriod = 1000;

class Simulation {
  public:
    Simulation(int argc, char** argv) {
        Verilated::commandArgs(argc, argv);
        top_ = std::make_unique<Vtop>("");
        top_->clk = 0;   // inputs start at random values, too
        Verilated::fatalOnVpiError(false);
#if VM_TRACE
        const char* file = DefaultTraceFile;
        bool tracing = false;
        for (int i = 1; i < argc; ++i) {
            if (std::strcmp(argv[i], "--trace") == 0) tracing = true;
            if (std::strcmp(argv[i], "--trace-file") == 0 && i + 1 < argc) file = argv[++i];
        }
        Verilated::traceEverOn(true);
        if (tracing) {
            trace_ = std::make_unique<Trace>();
            top_->trace(trace_.get(), 99);
            trace_->open(file);
        }
#endif
    }

    int run() {
        vlog_startup_routines_bootstrap();
        Verilated::addExitCb([](void* self) { static_cast<Simulation*>(self)->finish(); }, this);
        VerilatedVpi::callCbs(cbStartOfSimulation);
        settle();
        full_step();
        bool python_ran = true;
        while (!Verilated::gotFinish()) {
            const vluint64_t deadline = VerilatedVpi::cbNextDeadline();
            if (!python_ran && run_until(deadline)) {
                full_step();
                python_ran = true;
                continue;
            }
            if (Verilated::gotFinish()) break;
            python_ran = timed_step(deadline);
        }
        top_->final();
        finish();
        return Verilated::threadContextp()->errorCount() > 0 ? 1 : 0;
    }

  private:
    // Runs value change callbacks until nothing changes; true when any ran.
    static bool settle() {
        bool again = VerilatedVpi::callValueCbs();
        const bool called = again;
        while (again) again = VerilatedVpi::callValueCbs();
        return called;
    }

    // All callback regions of one time step, as cocotb's main has them.
    void full_step() {
        do {
            do {
                top_->eval_step();
                VerilatedVpi::clearEvalNeeded();
                VerilatedVpi::doInertialPuts();
                settle();
            } while (VerilatedVpi::evalNeeded());
            VerilatedVpi::callCbs(cbReadWriteSynch);
            VerilatedVpi::doInertialPuts();
            settle();
        } while (VerilatedVpi::evalNeeded());
        top_->eval_end_step();
        VerilatedVpi::callCbs(cbReadOnlySynch);
        dump();
    }

    // Clock edges before the deadline, until a value change that Python waits for; true when one came.
    bool run_until(vluint64_t deadline) {
        while (edge_ < deadline) {
            now = edge_;
            edge_ += HalfPeriod;
            top_->clk ^= 1;
            top_->eval();
            const bool called = VerilatedVpi::hasCbs(cbValueChange) && settle();
            if (called || VerilatedVpi::evalNeeded()) return true;
            dump();
            if (Verilated::gotFinish()) return false;
        }
        return false;
    }

    // The next clock edge or timer, whichever is first, with every region; true when a callback may want the step after it, too.
    bool timed_step(vluint64_t deadline) {
        now = edge_ < deadline ? edge_ : deadline;
        bool python_ran = VerilatedVpi::callCbs(cbNextSimTime);
        settle();
        if (edge_ == now) {
            top_->clk ^= 1;
            edge_ += HalfPeriod;
        }
        python_ran = python_ran || now == deadline;
        VerilatedVpi::callTimedCbs();
        settle();
        full_step();
        return python_ran || VerilatedVpi::hasCbs(cbNextSimTime) || VerilatedVpi::hasCbs(cbReadWriteSynch);
    }

    void dump() {
#if VM_TRACE
        if (trace_) trace_->dump(now);
#endif
    }

    // Runs once, also when the process exits early ($finish, $stop, exit).
    void finish() {
        if (finished_) return;
        finished_ = true;
        VerilatedVpi::callCbs(cbEndOfSimulation);
#if VM_TRACE
        if (trace_) trace_->close();
#endif
#if VM_COVERAGE
        VerilatedCov::write();
#endif
    }

    std::unique_ptr<Vtop> top_;
#if VM_TRACE
    std::unique_ptr<Trace> trace_;
#endif
    vluint64_t edge_ = HalfPeriod;
    bool finished_ = false;
};

}  // namespace

double sc_time_stamp() { return static_cast<double>(now); }

int main(int argc, char** argv) {
    Simulation simulation(argc, argv);
    return simulation.run();
}
